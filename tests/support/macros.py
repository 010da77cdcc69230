"""Macros of the project, rendered by dbt's own jinja without dbt, a manifest or a server."""

import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from dbt.context.base import get_context_modules
from dbt_common.clients.jinja import get_environment
from dbt_common.exceptions import CompilationError
from dbt_common.exceptions.macros import MacroReturn

from common.settings import DBT_PROJECT

MACROS = DBT_PROJECT / "macros"
PREFIX = "dbt_macro__"


class Macros:
    """The macros of some files; what they find beside each other is given by name."""

    def __init__(self, files: Iterable[str], **context: Any) -> None:
        self._context = {
            "adapter": SimpleNamespace(quote='"{}"'.format),
            "api": SimpleNamespace(Relation=SimpleNamespace(create='"{}"."{}"."{}"'.format)),
            "exceptions": SimpleNamespace(raise_compiler_error=_raise_compiler_error),
            "execute": True,
            "modules": get_context_modules(),
            "return": _return,
            "tojson": json.dumps,
            **context,
        }
        for file in files:
            text = (MACROS / f"{file}.sql").read_text(encoding="utf-8")
            template = get_environment(None).from_string(text)
            module = template.make_module(self._context)
            for name, macro in vars(module).items():
                if name.startswith(PREFIX):
                    self._context.setdefault(name.removeprefix(PREFIX), _returning(macro))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._context[name]


def _returning(macro: Callable[..., Any]) -> Callable[..., Any]:
    """The macro with dbt's `return`, which leaves it by an exception."""

    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return macro(*arguments, **options)
        except MacroReturn as returned:
            return returned.value

    return call


def _return(value: Any) -> None:
    raise MacroReturn(value)


def _raise_compiler_error(message: str) -> None:
    raise CompilationError(message)
