-- Values that one record of all accounts may have, such as a phone number.
CREATE TABLE claim (
    field  INTEGER NOT NULL,
    value  ANY     NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (field, value)
) STRICT, WITHOUT ROWID;

-- Records that had such a value before it was looked after: they stay, and nobody else gets the value.
CREATE TABLE unclaimed (
    field  INTEGER NOT NULL,
    value  ANY     NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (field, value, record)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO claim (field, value, record)
    SELECT f.field, f.value, f.record FROM facet f JOIN symbol s ON s.number = f.field
    WHERE s.name = 'dids/number' ORDER BY f.record;

INSERT INTO unclaimed (field, value, record)
    SELECT f.field, f.value, f.record FROM facet f JOIN symbol s ON s.number = f.field
    LEFT JOIN claim c ON c.field = f.field AND c.value = f.value AND c.record = f.record
    WHERE s.name = 'dids/number' AND c.record IS NULL;
