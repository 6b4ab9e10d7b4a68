"""Environments and engines on the nodes of a Ray cluster, behind the faces that they have on one machine.

- ``settings``: what is asked for; ``connection`` and ``guard``: Ray itself, who may speak to it, and its end;
- ``hosts`` and ``station``: environments, this side and the far one;
- ``engine``, ``router`` and ``replica``: engines, likewise; ``blueprint`` and ``parcels``: a model's shape and weights.

All that is sent are bytes and numbers, in the packets of ``hosts.processes``: Ray pickles neither. What it does pickle
is its own: the names of the classes here, by reference.
"""
