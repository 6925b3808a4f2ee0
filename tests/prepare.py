"""Installs what the tests need besides Python packages: a Chromium and fonts. Run by `make test`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((path for name in CHROMIUMS if (path := shutil.which(name))), None)


def main() -> None:
    """Debian's packages where apt and the right to use it are there, playwright's own browser elsewhere."""
    if chromium() and not _lacks_fonts():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        print("installing chromium and fonts …", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment, stdout=subprocess.DEVNULL)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-color-emoji",
             "fonts-dejavu-core"],
            check=True, env=environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    elif not chromium():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _lacks_fonts() -> bool:
    found = subprocess.run(["fc-list", ":family=Noto Color Emoji"], capture_output=True, text=True, check=False)
    return not found.stdout.strip() and bool(shutil.which("apt-get"))


if __name__ == "__main__":
    main()
