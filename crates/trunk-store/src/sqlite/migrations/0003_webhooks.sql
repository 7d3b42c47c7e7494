-- An event with a customer is a webhook, and belongs to no account: its `account` is 0, which no account has.
ALTER TABLE outbox ADD COLUMN customer BLOB;
ALTER TABLE outbox ADD COLUMN method TEXT NOT NULL DEFAULT 'POST';
ALTER TABLE outbox ADD COLUMN signature TEXT;
ALTER TABLE delivery ADD COLUMN customer BLOB;
