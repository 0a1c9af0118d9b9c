"""LeNet on scikit-learn's digits or on Fashion-MNIST, trained with jaxsched: `python -m train --help`.

Read the files in this order. The docstring at the top of each names the next one.

1. Command line: `__main__` defines the commands, `options` their options, `config` a run's configuration.
2. Setup: `session` checks the options, `data` loads the images, `devices` manages devices and processes.
3. A single run: `single` starts or resumes it, `stop` handles Ctrl-C, `loop` trains it epoch by epoch.
4. Compiled code: `step` computes an epoch, `model` is the LeNet, `fast_layers` speeds it up.
5. Output: `checkpoint` saves the state, `events` writes for TensorBoard, `report` shows the results.
6. Many runs at once: `many` trains them, `report_many` shows the results, `chapter` defines the runs of
   `compare`, and `sweep` those of `sweep`.
7. Decays of a run: `branches` trains them for `cooldown`, and `report_branches` shows the results.

In a hurry? Read `loop`, `step` and `model`: they do the training.
"""
