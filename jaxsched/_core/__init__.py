"""What every schedule is made of.

Read it in this order:

1. `versions`: what differs between versions of JAX.
2. `fields`: what a schedule's fields accept, and how they are checked.
3. `value`: frozen dataclasses that are pytrees, compare and print.
4. `lists`: a number out of a list, at a position that is known at run time.
5. `clock`: the time that a formula sees, a number of steps, exact.
6. `powers`: logarithms and powers that keep their digits.
7. `platforms`: one computation in two words, chosen for the platform it is compiled for.
8. `evaluate`: the door between a caller's step and a schedule's formula.
9. `schedule`: `Schedule`, its operators, `Constant` and `Lambda`.
10. `transition`: shapes from one value to another, and easings.
11. `parts`: many schedules kept as few.
"""
