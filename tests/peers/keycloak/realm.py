"""The realm `esante-wallet` of our Keycloak: `realm.json`, its people and the software it knows.

Plain values only, in Keycloak's own JSON; nothing is started or sent here (`launcher.py`).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ris.sandbox.psc_people import Person

NAME: Final = "esante-wallet"
PASSWORD: Final = "the-card-and-its-pin"
_TEXTS: Final = (
    "SubjectNameID", "UITVersion", "Palier_Authentification", "PSI_Locale", "Mode_Acces_Raison",
    "Acces_Regulation_Medicale",
)  # fmt: skip
_OBJECTS: Final = ("SubjectRefPro", "otherIds", "SubjectRole")

Json = dict[str, Any]


def realm(people: Iterable[Person], clients: Iterable[Json]) -> Json:
    """Return the realm to create, with the claims of Pro Santé Connect in scope `scope_all`."""
    made: Json = json.loads(Path(__file__).with_name("realm.json").read_text(encoding="utf-8"))
    made["users"] = [_user(person) for person in people]
    made["clientScopes"] = [_scope_all()]
    made["clients"] = list(clients)
    return made


def client(client_id: str, redirect_uri: str, logged_out: str) -> Json:
    """Return a software of Keycloak's: code flow with PKCE, refresh, CIBA by polling, logout."""
    return {
        "clientId": client_id,
        "protocol": "openid-connect",
        "redirectUris": [redirect_uri],
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False,
        "fullScopeAllowed": False,
        "defaultClientScopes": [],
        "optionalClientScopes": ["scope_all"],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "id.token.signed.response.alg": "RS256",
            "oidc.ciba.grant.enabled": "true",
            "ciba.backchannel.token.delivery.mode": "poll",
            "post.logout.redirect.uris": logged_out,
            "backchannel.logout.session.required": "true",
        },
    }


def with_secret(software: Json, secret: str) -> Json:
    """Return *software* authenticated by a secret."""
    return {**software, "clientAuthenticatorType": "client-secret", "secret": secret}


def with_signed_userinfo(software: Json) -> Json:
    """Return *software* whose userinfo comes as a signed JWT."""
    attributes = {**software["attributes"], "user.info.response.signature.alg": "RS256"}
    return {**software, "attributes": attributes}


def with_certificate(software: Json, subject: str) -> Json:
    """Return *software* authenticated by the certificate of *subject*, which binds its tokens."""
    attributes = {
        **software["attributes"],
        "x509.subjectdn": subject,
        "x509.allow.regex.pattern.comparison": "false",
        "tls.client.certificate.bound.access.tokens": "true",
    }
    return {**software, "clientAuthenticatorType": "client-x509", "attributes": attributes}


def _user(person: Person) -> Json:
    told: Mapping[str, Any] = person.userinfo()
    attributes = {name: [told[name]] for name in _TEXTS}
    attributes |= {name: [json.dumps(told[name])] for name in _OBJECTS}
    return {
        "username": person.ps_idnat,
        "firstName": person.given,
        "lastName": person.family,
        "enabled": True,
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        "attributes": attributes,
    }


def _scope_all() -> Json:
    mappers = [
        _mapper("sub", "oidc-sub-mapper"),
        _mapper("acr", "oidc-acr-mapper"),
        _mapper("session_state", "oidc-session-state-mapper"),
        _mapper("auth_time", "oidc-usersessionmodel-note-mapper",
                {"user.session.note": "AUTH_TIME", "jsonType.label": "long"}),
        _mapper("authMode", "oidc-hardcoded-claim-mapper",
                {"claim.value": "CARD", "jsonType.label": "String"}),
        _attribute("preferred_username", "username"),
        _attribute("given_name", "firstName"),
        _attribute("family_name", "lastName"),
        *(_attribute(name, name) for name in _TEXTS),
        *(_attribute(name, name, "JSON") for name in _OBJECTS),
    ]  # fmt: skip
    return {
        "name": "scope_all",
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "true"},
        "protocolMappers": mappers,
    }


def _attribute(claim: str, source: str, kind: str = "String") -> Json:
    config = {"user.attribute": source, "jsonType.label": kind}
    return _mapper(claim, "oidc-usermodel-attribute-mapper", config)


def _mapper(claim: str, kind: str, config: Mapping[str, str] | None = None) -> Json:
    told = {
        f"{place}.claim": "true" for place in ("id.token", "access.token", "userinfo.token")
    } | {"introspection.token.claim": "true", "claim.name": claim}
    return {
        "name": claim,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "config": {**told, **(config or {})},
    }
