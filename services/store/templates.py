"""Templates of grants as rows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from devices.kinds import DataClass
from services.domain.granting import BasisKind, Template, TemplateItem
from services.domain.homes import Organisation, OrganisationKind
from services.domain.ids import OrganisationId
from services.store.connection import Connection, Row

_MICROSECOND: Final = timedelta(microseconds=1)

_SELECT: Final = "SELECT id, title, organisation_kind, organisation_id FROM grant_templates"


def add(connection: Connection, template: Template) -> None:
    """Insert a template with its items."""
    connection.run(
        "INSERT INTO grant_templates (id, title, organisation_kind, organisation_id) VALUES (?, ?, ?, ?)",
        template.id,
        template.title,
        template.organisation_kind,
        template.organisation_id,
    )
    connection.run_many(
        """INSERT INTO grant_template_items (template_id, number, data_class, purpose, basis_kind, step,
                                             within_micros)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        [_item_row(template.id, number, item) for number, item in enumerate(template.items)],
    )


def remove(connection: Connection, template_id: str) -> None:
    """Delete a template with its items; what was made of it stays."""
    connection.run("DELETE FROM grant_templates WHERE id = ?", template_id)


def get(connection: Connection, template_id: str) -> Template | None:
    """The template with this id."""
    row = connection.row(f"{_SELECT} WHERE id = ?", template_id)
    return _template(connection, row) if row else None


def templates(
    connection: Connection, *, usable_by: Organisation | None = None, after: str = "", limit: int
) -> list[Template]:
    """Templates by id: those for an organisation or its kind, or all."""
    where, parameters = "id > ?", [after]
    if usable_by is not None:
        where += " AND (organisation_id = ? OR organisation_kind = ?)"
        parameters += [usable_by.id, usable_by.kind]
    rows = connection.rows(f"{_SELECT} WHERE {where} ORDER BY id LIMIT ?", *parameters, limit)
    return [_template(connection, row) for row in rows]


def _item_row(template_id: str, number: int, item: TemplateItem) -> Sequence[object]:
    within = item.within // _MICROSECOND
    return (template_id, number, item.data_class, item.purpose, item.basis_kind, item.step, within)


def _template(connection: Connection, row: Row) -> Template:
    items = connection.rows(
        """SELECT data_class, purpose, basis_kind, step, within_micros FROM grant_template_items
           WHERE template_id = ? ORDER BY number""",
        row[0],
    )
    return Template(
        id=row[0],
        title=row[1],
        organisation_kind=None if row[2] is None else OrganisationKind(row[2]),
        organisation_id=None if row[3] is None else OrganisationId(row[3]),
        items=tuple(_item(item) for item in items),
    )


def _item(row: Row) -> TemplateItem:
    return TemplateItem(
        data_class=DataClass(row[0]),
        purpose=row[1],
        basis_kind=BasisKind(row[2]),
        step=row[3],
        within=timedelta(microseconds=row[4]),
    )
