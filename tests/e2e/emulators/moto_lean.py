#!/usr/bin/env python3
"""moto's server without its list of all that it ever made.

For its dashboard moto keeps every object, and every copy of one. It copies a table
before each transaction on it, so that a suite's thousands of transactions took all
memory of the machine, and its search for garbage seconds, in which nobody was answered.

usage: moto_lean.py OPTIONS-OF-MOTO-SERVER..."""

from moto.core.common_models import BaseModel
from moto.server import main


def make(cls, *_values, **_named_values):
    return super(BaseModel, cls).__new__(cls)


def forget_instances():
    BaseModel.__new__ = staticmethod(make)


if __name__ == "__main__":
    forget_instances()
    main()
