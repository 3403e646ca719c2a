"""A tox plugin of this repository: environments with the same packages share one folder.

tox makes an environment anew when another one has used its folder, which would install torch,
ray and mlflow once for types, once for tests, and so on. This runner forgets the name.
"""

from contextlib import AbstractContextManager
from typing import Any

from tox.plugin import impl
from tox.tox_env.info import Info
from tox.tox_env.python.virtual_env.runner import VirtualEnvRunner
from tox.tox_env.register import ToxEnvRegister


class NamelessInfo(Info):
    """What tox knows of an environment's folder, without the environment's name."""

    def compare(
        self, value: Any, section: str, sub_section: str | None = None
    ) -> AbstractContextManager[tuple[bool, Any]]:
        """Compares as tox does; a name is no difference."""
        if section == "ToxEnv":
            value = {key: item for key, item in value.items() if key != "name"}
        return super().compare(value, section, sub_section)


class SharedRunner(VirtualEnvRunner):
    """tox's ordinary runner, in a folder that others use as well."""

    @staticmethod
    def id() -> str:
        """The name by which tox.ini asks for this runner."""
        return "shared"

    @property
    def cache(self) -> Info:
        """What is known of the folder."""
        return NamelessInfo(self.env_dir)


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Makes the runner known to tox."""
    register.add_run_env(SharedRunner)
