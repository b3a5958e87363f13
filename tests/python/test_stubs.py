"""The stubs name what is there, and all of it is told what it is."""
import ast
import inspect
import os
import unittest

import pail
from pail import _pail

STUBS = os.path.join(os.path.dirname(pail.__file__), "_pail.pyi")


def public(names):
    return {name for name in names if not name.startswith("_")}


class Stubs(unittest.TestCase):
    def setUp(self):
        with open(STUBS, encoding="utf-8") as file:
            self.tree = ast.parse(file.read())

    def test_stubs__have_every_name_and_no_other(self):
        defined = {node.name for node in self.tree.body
                   if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        defined |= {node.target.id for node in self.tree.body if isinstance(node, ast.AnnAssign)}
        self.assertEqual(public(defined), public(vars(_pail)) | {"Operation", "Queue"})

    def test_stubs__have_every_member(self):
        for node in self.tree.body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            made = getattr(_pail, node.name)
            if issubclass(made, (tuple, Exception)):
                continue
            with self.subTest(type=node.name):
                self.assertEqual(public(item.name for item in node.body
                                        if isinstance(item, ast.FunctionDef)), public(vars(made)))

    def test_stubs__have_the_fields_in_order(self):
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name in ("Info", "Presigned"):
                fields = tuple(item.target.id for item in node.body)
                self.assertEqual(fields, getattr(_pail, node.name).__match_args__)

    def test_docstrings__everything_public_has_one(self):
        for name in pail.__all__ + ["AsyncBucket"]:
            made = getattr(pail, name)
            self.assertTrue(made.__doc__ or name == "ProviderList", name)
            if inspect.isclass(made) and made.__module__.startswith("pail._pail"):
                for member, value in vars(made).items():
                    if not member.startswith("_"):
                        self.assertTrue(value.__doc__, f"{name}.{member}")

    def test_typed__marker_is_there(self):
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(STUBS), "py.typed")))


if __name__ == "__main__":
    unittest.main()
