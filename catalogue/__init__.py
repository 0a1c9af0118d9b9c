"""Cases and references that the tests, the benchmarks and the documentation share.

`cases` has every shape, combinator and preset, `ports` has every port, and `reference` has the formulas in
mpmath.
"""
