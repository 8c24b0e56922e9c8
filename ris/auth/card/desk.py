"""The card desk: opens the session of the person whose verified certificate is presented.

Account rules are those of `accounts.py`, the rest of the opening that of `service.py`. A card says
who, not where: the situations are those Pro Santé Connect last told, and none is ended here.
"""

from dataclasses import replace
from typing import Final

from ris.auth import accounts, situations
from ris.auth.attempts import local_path
from ris.auth.card import channel as card_channel
from ris.auth.card import holder as card
from ris.auth.card.channel import Presented
from ris.auth.card.trust import CardTrust
from ris.auth.identifiers import person
from ris.auth.psc.client import SignIn
from ris.auth.service import Opened, SignInDesk
from ris.core import clock
from ris.core.audit import Actor
from ris.core.errors import NotConfigured, RisError
from ris.rem import satisfies

METHOD: Final = "CPX_MTLS"


class CardDesk:
    """Everything a sign-in by card needs, on behalf of *desk*; one for both doors.

    Raises NotConfigured without authorities, or when a card is worth less than this site asks of
    Pro Santé Connect.
    """

    def __init__(self, desk: SignInDesk) -> None:
        self.desk = desk
        self.settings = desk.settings.card
        self._trust = CardTrust(self.settings)
        if self.settings.acr < desk.settings.psc.acr_values:
            raise NotConfigured(
                "RIS_AUTH__CARD__ACR : niveau inférieur à RIS_AUTH__PSC__ACR_VALUES."
            )

    def close(self) -> None:
        """Close the connection to the OCSP responder."""
        self._trust.close()

    @satisfies("LOC-AUTH-01")
    def sign_in(self, told: Presented, next_path: str, *, former: str, origin: Actor) -> Opened:
        """Open a session for the holder of the certificate *told*; go on to *next_path*.

        *former* is the secret of the browser's present session, closed by the new one. Raises
        CardRefused, CardUnverifiable or what `accounts.known` raises; each refusal is traced as
        `auth.login_failed` with its reason, and a header nobody may send as `auth.card_forged`.
        """
        actor = replace(origin, auth_method=METHOD)
        if told.forged is not None:
            self.desk.refusals.trace("auth.card_forged", told.forged, actor)
        try:
            certificate = card_channel.certificate(told.pem)
            self._trust.verify(certificate)
            holder = card.holder(certificate)
            actor = replace(actor, ps_idnat=holder.subject_name_id)
            token = self._open(holder, told, former, actor)
        except RisError as error:
            self.desk.trace_failure(error, actor)
            raise
        return Opened(token, local_path(next_path))

    def _open(self, holder: card.Holder, told: Presented, former: str, actor: Actor) -> str:
        desk = self.desk
        desk.refuse_test_identity(person(holder.subject_name_id)[1])
        now = clock.now()
        claims = {"acr": self.settings.acr, "amr": ["sc"], "authMode": "CARD"}  # RFC 8176
        with desk.database.transaction() as session:
            account = accounts.known(session, holder.subject_name_id)
            account.family = account.family or holder.family
            account.given = account.given or holder.given
            account.last_login_at = now
            return desk.open(
                session,
                account,
                situations.current(session, account.id),
                SignIn(claims, {}, "", now, method=METHOD),
                actor,
                former=former,
                detail={"channel": told.channel, "card": holder.serial},
            )
