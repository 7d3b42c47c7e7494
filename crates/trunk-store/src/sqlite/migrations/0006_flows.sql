-- A call is looked for by its flow, too: a flow is kept as long as a call of it is.
INSERT INTO document_key (kind, name, value, created_at, document)
    SELECT kind, 'flow', body ->> '$.wire.flow_id', created_at, number FROM document
    WHERE kind = 9 AND deleted = 0 AND json_valid(body)
        AND coalesce(body ->> '$.wire.flow_id', '') NOT IN ('', '00000000-0000-0000-0000-000000000000');
