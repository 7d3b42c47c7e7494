-- API keys are stored as their digests alone.
ALTER TABLE api_key DROP COLUMN secret;
