"""Cases and complaints of ``library.queueing``."""

COMPLAINTS = {
    "Queue": "a new list of jobs is not as it should be",
    "push": "jobs that are added end up in the wrong place",
    "pop": "the job that is handed out is not the one it should be",
    "peek": "looking at the next job goes wrong",
    "urgent": "the list of pressing jobs is wrong",
    "_rise": "jobs are not handed out in the right sequence after some were added",
    "_sink": "jobs are not handed out in the right sequence after one was taken",
    "drain": "jobs are not handed out in the right sequence",
}

CASES = r"""
Queue(); push("a", 3); push("b", 1); push("c", 2); drain()
Queue(); push("a"); push("b"); push("c", 4); push("d", 6); drain()
Queue(); push("a", 2); push("b", 2); push("c", 2); pop(); pop(); pop()
Queue(); pop()
Queue(); peek()
Queue(); push("x", 9); peek(); push("y", 1); peek(); pop(); peek()
Queue(); push("a", 5); push("b", 4); push("c", 3); push("d", 2); push("e", 1); drain()
Queue(); push("a", 1); push("b", 5); push("c", 2); push("d", 8); push("e", 7); push("f", 3); drain()
Queue(); push("a", 7); push("b", 3); push("c", 9); push("d", 1); pop(); push("e", 2); drain()
Queue(); push("a", 1); push("b", 2); push("c", 3); urgent(2)
Queue(); push("a", 4); push("b", 2); push("c", 3); urgent(4)
Queue(); urgent(9)
Queue(); drain()
Queue(); push("q", 1); pop(); push("r", 1); pop()
Queue(); push("a", 6); push("b", 6); push("c", 1); push("d", 6); push("e", 2); push("f", 6); push("g", 0); drain()
Queue(); push("a", 5); push("b"); push("c", 5); drain()
"""
