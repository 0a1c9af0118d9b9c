"""What every schedule is made of.

Read it in this order:

1. `versions`: what differs between versions of JAX.
2. `fields`: what a schedule's fields accept, and how they are checked.
3. `printer`: the text of a value.
4. `value`: frozen dataclasses that are pytrees, compare and print.
5. `operators`: Python's operators for numbers that are no arrays yet.
6. `lookup`: a number out of a list, at a position that is known at run time.
7. `clock`: the time that a formula sees, a number of steps, exact.
8. `boundaries`: which of the stretches between boundaries a time is in.
9. `powers`: logarithms and powers that keep their digits.
10. `platforms`: one computation in two dtypes, chosen for the platform it is compiled for.
11. `evaluate`: the door between a caller's step and a schedule's formula.
12. `span`: what a composition says of its parts.
13. `schedule`: `Schedule`, its operators, `Constant` and `Lambda`.
14. `transition`: shapes from one value to another, and easings.
15. `grouping`: many schedules kept as few.
"""
