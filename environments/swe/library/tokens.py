"""Arithmetic in text: taken apart into tokens, and worked out."""

from __future__ import annotations


def tokenize(text: str) -> list[str]:
    """Numbers, names and signs, in order; blanks are left out."""
    found: list[str] = []
    index = 0
    while index < len(text):
        char = text[index]
        end = index + 1
        if char.isdigit():
            while end < len(text) and text[end].isdigit():
                end += 1
        elif char.isalpha():
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
        elif char not in "+-*/() ":
            raise ValueError("this is no token")
        if char != " ":
            found.append(text[index:end])
        index = end
    return found


def postfix(text: str) -> list[str]:
    """The tokens with each sign after what it connects; points before lines, equals from the left."""
    ranks = {"+": 1, "-": 1, "*": 2, "/": 2}
    output: list[str] = []
    signs: list[str] = []
    for token in tokenize(text):
        if token in ranks:
            while signs and signs[-1] != "(" and ranks[signs[-1]] >= ranks[token]:
                output.append(signs.pop())
            signs.append(token)
        elif token == "(":
            signs.append(token)
        elif token == ")":
            while signs and signs[-1] != "(":
                output.append(signs.pop())
            if not signs:
                raise ValueError("a parenthesis is not opened")
            signs.pop()
        else:
            output.append(token)
    return output + signs[::-1]


def evaluate(text: str, names: dict[str, int] | None = None) -> int:
    """The value of the text; division is that of whole numbers, names have the given values."""
    stack: list[int] = []
    for token in postfix(text):
        if token in "+-*/":
            right, left = stack.pop(), stack.pop()
            stack.append({"+": left + right, "-": left - right, "*": left * right}.get(token, left // (right or 1)))
        elif token.isdigit():
            stack.append(int(token))
        else:
            stack.append((names or {})[token])
    if len(stack) != 1:
        raise ValueError("this is no formula")
    return stack[0]
