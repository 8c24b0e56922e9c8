"""A strict DMP for demonstrations and tests, written from the wire specification (dmp.md).

It checks: mutual TLS identity, WS-Addressing, the VIHF (order, instants, versions, signature,
certificate, roles, rights of the indirect mode), MTOM, the XDS metadata, hashes and sizes, the lot
signature, patients, duplicates, replacement and deletion. It does NOT check: the CI-SIS schematrons
of the CDA, value sets code by code, TD0.2 schema beyond what it reads, revocation by OCSP, direct
(card) and AIR modes, TD0.3, TD2.2, TD3.2, TD3.3a/b/d, and the real `DMP*` error list, which is not
public: `DMPInvalidVIHF` and `DMPInvalidRequest` are our own names.
"""

from ris.sandbox.dmp.registry import DmpPatient, Entry, Registry
from ris.sandbox.dmp.service import DmpSandbox, Received

__all__ = ["DmpPatient", "DmpSandbox", "Entry", "Received", "Registry"]
