"""PAM-FR messages of invented people, written for these tests."""

from typing import Any

DOMAIN = "2.25.77"
INS = "279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
NAMES = "TESTRIS-BETA^ANNE^ANNE LUCIE^^^^L"


def message(
    event: str = "ADT^A28^ADT_A05",
    *,
    control: str = "C1",
    ipp: str = "P1",
    ins: str = "",
    names: str = NAMES,
    born: str = "19790328",
    sex: str = "F",
    place: str = "51215",
    status: str = "PROV",
    recorded: str = "20240514083000",
    zfd: str = "ZFD|||N|N|SM",
    more: tuple[str, ...] = (),
    charset: str = "UNICODE UTF-8",
    accept: str = "",
    **msh: Any,
) -> bytes:
    ids = f"{ipp}^^^GAM&{DOMAIN}&ISO^PI" + (f"~{ins}" if ins else "")
    head = ["MSH", "^~\\&", "GAM", "CHU-T", "RIS", "CABINET", recorded, "", event, control,
            msh.get("processing", "D"), msh.get("version", "2.5^FRA^2.11"), "", "", accept, "",
            "FRA", charset, "FR", "", "2.11^IHE_FRANCE-2.11-PAM"]  # fmt: skip
    pid = ["PID", "1", "", ids, "", names, "", born, sex, "", "",
           f"1 RUE DU TEST^^LYON^^69003^FRA^H~^^^^^^BDL^^{place}", "", "0400000000",
           *[""] * 18, status, recorded]  # fmt: skip
    lines = ["|".join(head), f"EVN||{recorded}", "|".join(pid), "PV1|1|N", *more]
    if zfd:
        lines.append(zfd)
    python = {"UNICODE UTF-8": "utf-8", "8859/15": "iso-8859-15", "8859/1": "iso-8859-1"}
    return ("\r".join(lines) + "\r").encode(python.get(charset, "utf-8"))


def merge(*, control: str = "M1", survivor: str = "P1", absorbed: str = "P2") -> bytes:
    line = f"MRG|{absorbed}^^^GAM&{DOMAIN}&ISO^PI"
    return message("ADT^A40^ADT_A39", control=control, ipp=survivor, more=(line,), zfd="")
