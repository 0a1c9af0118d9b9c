"""The base classes and the arithmetic of schedules.

`schedule(step)` turns the step into a `Clock` and passes it to the schedule's `evaluate`, which computes the
rate, in float64 or float32 depending on the platform. A schedule that contains others calls their `evaluate`
with a `Clock` of their own; the rate is rounded once, at the end.

Read the modules in this order:

1. `versions`: differences between versions of JAX.
2. `fields`: the fields of a schedule and their checks.
3. `printer`: the text of a value.
4. `exported`: writes the structure of a value for `jax.export`.
5. `value`: frozen dataclasses that are pytrees, compare and print.
6. `operators`: Python's operators for numbers that are not arrays yet.
7. `lookup`: an entry of a list, at a position known only at run time.
8. `clock`: the time that a formula sees, an exact number of steps.
9. `boundaries`: finds the segment between boundaries that a time is in.
10. `powers`: accurate logarithms and powers.
11. `platforms`: one computation in two dtypes; the platform decides which one is compiled.
12. `evaluate`: calls a schedule with a step.
13. `span`: describes when the parts of a composition run.
14. `schedule`: `Schedule`, its operators, `Constant` and `Lambda`.
15. `transition`: shapes from one value to another, and easings.
16. `grouping`: stores many schedules as a few stacked ones.
"""
