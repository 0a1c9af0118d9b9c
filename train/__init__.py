"""LeNet on Fashion-MNIST, trained with jaxsched: `python -m train --help`."""
