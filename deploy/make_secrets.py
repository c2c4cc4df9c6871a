"""Makes the secrets that compose.yaml reads: `python deploy/make_secrets.py --annotators amei,ahao`. Shows the accounts once.

Writes four files, 0600, into deploy/secrets (`--into` another folder): the key that signs logins, the passwords of PostgreSQL and
Redis, and the accounts. Raises UserError, and changes nothing, where one of them is there already.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

from curation.server.accounts import account_names
from curation.server.instance import OWNER, WORKSPACE, new_account
from factory.errors import UserError


def make(folder: Path, owner: str, annotators: str, workspace: str) -> dict[str, dict[str, str]]:
    """The accounts by name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    everyone = {owner: "owner"} | dict.fromkeys(account_names(annotators), "annotator")
    accounts = [new_account(name)._asdict() | {"role": role} for name, role in everyone.items()]
    files = {
        "auth_key": secrets.token_hex(32),
        "postgres_password": secrets.token_hex(24),  # hexadecimal: they stand in addresses
        "redis_password": secrets.token_hex(24),
        "accounts.json": json.dumps({"workspace": workspace, "accounts": accounts}, indent=1),
    }
    if there := [name for name in files if (folder / name).exists()]:
        raise UserError(f"{folder} holds {', '.join(there)} already, which a database may need; choose another folder with --into")
    for name, content in files.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(content)
    return {account["name"]: account for account in accounts}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--annotators", default="3", help="how many, or names joined by commas [3]")
    options.add_argument("--owner", default=OWNER)
    options.add_argument("--workspace", default=WORKSPACE)
    options.add_argument("--into", type=Path, default=Path(__file__).with_name("secrets"))
    asked = options.parse_args()
    try:
        made = make(asked.into, asked.owner, asked.annotators, asked.workspace)
    except UserError as error:
        print(f"make_secrets: {error}", file=sys.stderr)
        return 2
    print("account  password  API key (shown this once)")
    for name, account in made.items():
        print(f"{name}  {account['password']}  {account['api_key']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
