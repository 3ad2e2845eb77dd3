from django.db import migrations

# A chain shows a change afterwards; these refuse it at once, to whoever has no right to drop them.
SQLITE = [
    f"""
    CREATE TRIGGER privacy_auditentry_keeps_{verb.lower()} BEFORE {verb} ON privacy_auditentry
    BEGIN SELECT RAISE(ABORT, 'privacy_auditentry is append-only'); END
    """
    for verb in ("UPDATE", "DELETE")
]
POSTGRESQL = [
    """
    CREATE FUNCTION privacy_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER privacy_auditentry_keeps BEFORE UPDATE OR DELETE ON privacy_auditentry
    FOR EACH ROW EXECUTE FUNCTION privacy_append_only()
    """,
    """
    CREATE TRIGGER privacy_auditentry_keeps_all BEFORE TRUNCATE ON privacy_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION privacy_append_only()
    """,
]


def install(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("privacy", "0003_root_keys")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
