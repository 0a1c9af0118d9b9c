"""What pytest looks for examples in: the pages, not the scripts that write parts of them."""

collect_ignore_glob = ["*.py"]
