"""Matrices of whole numbers, as lists of rows."""

from __future__ import annotations


def size(matrix: list[list[int]]) -> list[int]:
    """Rows and columns. All rows must be of one length."""
    widths = {len(row) for row in matrix}
    if len(widths) > 1:
        raise ValueError("the rows differ in length")
    return [len(matrix), len(matrix[0]) if matrix else 0]


def transposed(matrix: list[list[int]]) -> list[list[int]]:
    """The matrix with rows for columns."""
    rows, columns = size(matrix)
    return [[matrix[row][column] for row in range(rows)] for column in range(columns)]


def product(left: list[list[int]], right: list[list[int]]) -> list[list[int]]:
    """The product of two matrices that fit each other."""
    if size(left)[1] != size(right)[0]:
        raise ValueError("the matrices do not fit")
    columns = transposed(right)
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def power(matrix: list[list[int]], exponent: int) -> list[list[int]]:
    """The square matrix times itself so often; the unit matrix for an exponent of 0."""
    if exponent < 0:
        raise ValueError("the exponent is 0 at least")
    result = [[1 if row == column else 0 for column in range(len(matrix))] for row in range(len(matrix))]
    while exponent > 0:
        if exponent % 2 == 1:
            result = product(result, matrix)
        matrix = product(matrix, matrix)
        exponent //= 2
    return result


def determinant(matrix: list[list[int]]) -> int:
    """The determinant, by the first row."""
    if len(matrix) == 1:
        return matrix[0][0]
    found = 0
    for column, value in enumerate(matrix[0]):
        rest = [row[:column] + row[column + 1 :] for row in matrix[1:]]
        sign = 1 if column % 2 == 0 else -1
        found += sign * value * determinant(rest)
    return found


def turned(matrix: list[list[int]], times: int = 1) -> list[list[int]]:
    """The matrix turned to the right by so many quarters."""
    for _ in range(times % 4):
        matrix = [list(row) for row in transposed(matrix[::-1])]
    return matrix
