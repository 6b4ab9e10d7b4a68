"""Cases and complaints of ``library.rows``."""

COMPLAINTS = {
    "split": "a line of a spreadsheet is not taken apart as it should be",
    "join": "a line for a spreadsheet is not written as it should be",
    "records": "a table that is read has wrong entries",
    "column": "what a table has under one heading comes out wrong",
}

CASES = r'''
split("a,b,c")
split("a,,c")
split("")
split('"a,b",c')
split('"say ""hi""",x')
split('""')
split('"open,x')
split("a;b", ";")
split("a,b,")
split('x"y,z"w')
join(["a", "b"])
join(["a,b", "c"])
join(['say "hi"', ""])
join(["a;b", "c,d"], ";")
join([])
records("name,age")
records("")
records("name,age\nann,3\nbob,41")
records("name,age\n\nann")
records("a,b\n1,2,3")
column("a,b\n1,2\n3,4", "b")
column("a,b\n1,2", "z")
column("a\n\"x,y\"\nz", "a")
'''
