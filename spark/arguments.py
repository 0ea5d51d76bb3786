"""What every driver is told on its command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """Where the project's Node runtime is found on every machine, and the environment it runs in."""

    node: str
    runtime: str
    environment: tuple[tuple[str, str], ...]

    @property
    def env(self) -> dict[str, str]:
        """The environment as a mapping."""
        return dict(self.environment)


def parser(description: str) -> argparse.ArgumentParser:
    """A parser of the options that all drivers share; a driver adds its own."""
    result = argparse.ArgumentParser(description=description, allow_abbrev=False)
    result.add_argument("--node", required=True, help="path of Node's binary on every machine")
    result.add_argument("--runtime", required=True, help="path of the capability's entry, JavaScript, on every machine")
    result.add_argument(
        "--env",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help="a variable of the runtime's environment",
    )
    return result


def placement(options: argparse.Namespace) -> Placement:
    """The placement that the parsed options of :func:`parser` give."""
    return Placement(options.node, options.runtime, tuple(sorted(options.env)))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f'"{text}" is not KEY=VALUE')
    return key, value
