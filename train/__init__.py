"""LeNet on scikit-learn's digits or on Fashion-MNIST, trained with jaxsched: `python -m train --help`.

Read the files in the order of a run. Each one says at its top which comes next.

1. The command: `__main__` has the commands, `options` what they take, `config` what a run is made of.
2. Before it trains: `session` checks the options, `data` loads the images, `devices` knows who takes part.
3. One run: `single` begins it or goes on with it, `loop` takes it epoch by epoch.
4. What is compiled: `step` is an epoch, `model` the LeNet, `fast_layers` the same for a CPU.
5. What stays: `checkpoint` is for the next process, `report` for the reader.
6. Many runs at once: `many` trains them, `report_many` shows them, `chapter` has those of `compare`, and
   `sweep` makes those of `sweep`.

In a hurry? `loop`, `step` and `model` are the training.
"""
