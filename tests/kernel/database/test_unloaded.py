"""What Piccolo imports and a service never needs is loaded by who asks for it."""

import subprocess
import sys

_SAYS = """
import sys
import coalition.kernel.database
import piccolo.conf.apps
print("black.linegen" in sys.modules)
print(piccolo.conf.apps.black.format_str("a=1", mode=piccolo.conf.apps.black.FileMode()), end="")
print("black.linegen" in sys.modules)
"""


def test_the_formatter_is_loaded_when_it_is_asked_for() -> None:
    said = subprocess.run([sys.executable, "-c", _SAYS], capture_output=True, text=True, check=True)
    assert said.stdout.split("\n") == ["False", "a = 1", "True", ""]
