"""Migration 0016 on a base that lived: each exam goes to the practice of its radiologist."""

from collections.abc import Callable

import psycopg
from alembic import command

from ris.core import schema

SCM, A = "300000000993014", "499700993001004"
FILL = f"""
set session_replication_role = replica;
insert into structure (id, struct_idnat, name, is_scm, created_at)
  values (gen_random_uuid(), '{SCM}', 'SCM', true, now());
insert into account (id, ps_idnat, family, given, role, identity_habilitated, status, created_at,
    version)
  values ('00000000-0000-7000-8000-0000000000a1', 'DR', '', '', 'RADIOLOGIST', false, 'ACTIVE',
    now(), 1), ('00000000-0000-7000-8000-0000000000a2', 'TECH', '', '', 'TECHNOLOGIST', false,
    'ACTIVE', now(), 1);
insert into situation (id, account_id, profession, category, specialty, place, mode, sector,
    struct_idnat, struct_valid, technical_id, name, address, phone, family, given, title,
    first_seen, last_seen, source)
  select s.id::uuid, s.account::uuid, '10', 'C', '', '', '', '', s.struct, true, '', '', '{{}}', '',
    '', '', '', now(), now(), 'PSC' from (values
    ('00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-0000000000a1', '{A}'),
    ('00000000-0000-7000-8000-0000000000b2', '00000000-0000-7000-8000-0000000000a2', '{SCM}'))
    as s(id, account, struct);
insert into exam (id, order_id, patient_id, acting_struct_idnat, accession_number, accession_oid,
    study_uid, status, procedure, scheduled_at, version)
  select ('00000000-0000-7000-8000-0000000000e' || n)::uuid, gen_random_uuid(), gen_random_uuid(),
    owner, 'E' || n, '1', n::text, 'COMPLETED', '{{}}', now(), 1 from (values
    (1, '{SCM}'), (2, '{SCM}'), (3, null), (4, 'placed-by'), (5, null)) as e(n, owner);
insert into report (id, patient_id, exam_id, status, draft_kind, to_validate, author_account_id,
    situation_id, title, sections, visibility, n1_set_id, n3_set_id, current_version,
    announcement_needed, created_at, updated_at, version)
  select gen_random_uuid(), gen_random_uuid(),
    ('00000000-0000-7000-8000-0000000000e' || n)::uuid, 'DRAFT', 'INITIAL', false,
    gen_random_uuid(), s::uuid, '', '{{}}', '[]', 'a' || n, 'b' || n, 0, false, now(), now(), 1
    from (values (1, '00000000-0000-7000-8000-0000000000b1'),
    (3, '00000000-0000-7000-8000-0000000000b2'), (4, '00000000-0000-7000-8000-0000000000b1'))
    as r(n, s);
"""


def test_an_exam_becomes_its_radiologists_and_never_the_means_companys(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    command.upgrade(schema.configuration(url), "0016-1")
    with psycopg.connect(url) as connection:
        connection.execute(FILL.encode())
    command.upgrade(schema.configuration(url), "0016")
    with psycopg.connect(url) as connection:
        rows = connection.execute("select accession_number, acting_struct_idnat from exam")
        owners: dict[str, str | None] = dict(rows.fetchall())
    # 1, 4: signed for A; 2: the SCM owns no exam; 3: typed by a technologist; 5: nobody's
    assert owners == {"E1": A, "E2": None, "E3": None, "E4": A, "E5": None}
