"""Rows of comma-separated values, with quotes as spreadsheets write them."""

from __future__ import annotations


def split(line: str, separator: str = ",") -> list[str]:
    """The fields of one line; a quoted field may hold separators, and a doubled quote stands for one."""
    fields, field, quoted, index = [], "", False, 0
    while index < len(line):
        char = line[index]
        if quoted and char == '"' and line[index + 1 : index + 2] == '"':
            field += '"'
            index += 1
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            fields.append(field)
            field = ""
        else:
            field += char
        index += 1
    if quoted:
        raise ValueError("a quote is not closed")
    fields.append(field)
    return fields


def join(fields: list[str], separator: str = ",") -> str:
    """One line of fields, those in quotes that need it."""
    written = []
    for field in fields:
        if separator in field or '"' in field:
            field = '"' + field.replace('"', '""') + '"'
        written.append(field)
    return separator.join(written)


def records(text: str) -> list[dict[str, str]]:
    """A record for each line after the first, which names the fields; missing ones are empty."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return []
    names = split(lines[0])
    found = []
    for line in lines[1:]:
        values = split(line)
        values += [""] * (len(names) - len(values))
        found.append(dict(zip(names, values, strict=False)))
    return found


def column(text: str, name: str) -> list[str]:
    """The values of one field, from the first record to the last."""
    return [record[name] for record in records(text) if name in record]
