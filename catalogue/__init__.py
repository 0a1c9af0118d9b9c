"""Cases and references that the tests, the benchmarks and the documentation share.

`cases` has every shape, combinator and preset, `ports` every port, and `reference` the formulas, in mpmath.
"""
