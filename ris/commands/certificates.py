"""`ris certificates`: the certificates of the practices, added, replaced, retired.

Run it as the account that runs the product: what it writes is readable by that account alone.
"""

from pathlib import Path
from typing import Annotated

import typer

from ris import app as root
from ris.auth.certificates import offers, service
from ris.auth.certificates.values import EXPLAINED, Held, State, Usage, Warned
from ris.core.errors import Invalid
from ris.settings import Settings

certificates_cli = typer.Typer(help="Certificats des structures.", no_args_is_help=True)
_STATES = {
    State.CURRENT: "en service",
    State.NEXT: "en attente de sa date",
    State.SPARE: "utilisable, remplacé",
    State.ARCHIVED: "archivé",
    State.REFUSED: "inutilisable",
}
_WARNED = {
    Warned.CLEAR_KEY: "clé privée en clair sur le disque",
    Warned.UNTRUSTED: "autorité inconnue",
    Warned.TEST_AUTHORITY: "autorité de test",
}


@certificates_cli.command("list")
def list_() -> None:
    """Lister les certificats : ceux qui servent, ce qui ne va pas, ce qui finit bientôt."""
    with root.running(Settings()) as runtime, runtime.database.transaction() as session:
        for held in service.inventory(session, runtime.desk.certificates):
            typer.echo(f"{described(held)}, n° {held.serial or '?'}")


@certificates_cli.command()
def add(
    struct_idnat: str,
    usage: Usage,
    certificate: Annotated[Path, typer.Argument(help="Certificat PEM, ou archive PKCS#12 (.p12).")],
    key: Annotated[Path | None, typer.Argument(help="Clé privée PEM, si elle est à part.")] = None,
) -> None:
    """Ajouter un certificat ou son remplaçant, sans interruption ; le mot de passe est demandé."""
    content, apart = _read(certificate), _read(key) if key else b""
    password = None
    if offers.needs_password(apart or content):
        password = typer.prompt("Mot de passe", hide_input=True, default="", show_default=False)
    offer = offers.read(content, apart, password.encode() if password is not None else None)
    with root.running(Settings()) as runtime:
        pool = runtime.desk.certificates
        with runtime.database.transaction() as session:
            held = service.add(session, pool, struct_idnat, usage, offer)
    typer.echo(f"{described(held)}, n° {held.serial}")


@certificates_cli.command()
def retire(
    struct_idnat: str,
    usage: Usage,
    serial: Annotated[str, typer.Argument(help="Numéro de série, comme affiché par « list ».")],
    in_use: Annotated[
        bool, typer.Option("--in-use", help="Retirer aussi celui qui est en service.")
    ] = False,
) -> None:
    """Retirer un certificat et détruire sa clé."""
    with root.running(Settings()) as runtime:
        pool = runtime.desk.certificates
        with runtime.database.transaction() as session:
            service.retire(session, pool, struct_idnat, usage, serial, in_use=in_use)
    typer.echo(f"Certificat {usage} n° {serial} de {struct_idnat} retiré, clé détruite.")


def described(held: Held) -> str:
    """Return one certificate as one French line."""
    end = f"{held.not_after:%d/%m/%Y}" if held.not_after else "?"
    told = [f"certificat {held.struct_idnat} {held.usage} : {_STATES[held.state]}", f"fin {end}"]
    if held.days_left is not None:
        told.append(f"{held.days_left} jour(s)")
    if held.refusal and held.state is State.REFUSED:
        told.append(f"{held.refusal} ({EXPLAINED[held.refusal].rstrip('.')})")
    if held.alert is not None:
        told.append("ALERTE : à remplacer")
    told += [_WARNED[one] for one in held.warnings]
    return ", ".join(told)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} : fichier illisible.", code="FILE_UNREADABLE") from error
