-- End-to-end encryption: public keys of devices and users, and messages from device to device.

-- Identity keys of devices.
CREATE TABLE device_keys (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    -- As uploaded, canonical JSON, with the device's own signature.
    content TEXT NOT NULL,
    PRIMARY KEY (user_nid, device_id)
) WITHOUT_ROWID;

CREATE TABLE one_time_key (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    -- Canonical JSON.
    content TEXT NOT NULL,
    -- Position of the upload: older keys are given out first.
    pos BIGINT NOT NULL,
    -- The claim that took the key; NULL while it waits. A taken key is remembered for a while, so that
    -- an upload that is repeated after a lost answer does not offer it again.
    claim_nid BIGINT,
    claimed_ts BIGINT,
    PRIMARY KEY (user_nid, device_id, algorithm, key_id)
) WITHOUT_ROWID;
CREATE INDEX one_time_key_waiting ON one_time_key (user_nid, device_id, algorithm, pos, key_id)
    WHERE claim_nid IS NULL;
CREATE INDEX one_time_key_claim ON one_time_key (claim_nid) WHERE claim_nid IS NOT NULL;
CREATE INDEX one_time_key_claimed ON one_time_key (claimed_ts) WHERE claimed_ts IS NOT NULL;

-- Given out when no one-time key is left, again and again until the device replaces it.
CREATE TABLE fallback_key (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    -- Canonical JSON.
    content TEXT NOT NULL,
    -- 1 = given out at least once.
    used BIGINT NOT NULL,
    PRIMARY KEY (user_nid, device_id, algorithm)
) WITHOUT_ROWID;

-- Master, self-signing and user-signing keys of users.
CREATE TABLE cross_signing_key (
    user_nid BIGINT NOT NULL,
    -- master, self_signing, user_signing.
    usage TEXT NOT NULL,
    -- Unpadded base64.
    public_key TEXT NOT NULL,
    -- Canonical JSON, with the signatures that belong to the upload.
    content TEXT NOT NULL,
    PRIMARY KEY (user_nid, usage)
) WITHOUT_ROWID;

-- Signatures that came after the keys: of a user's devices by the self-signing key, of master keys by
-- own devices and by other users' user-signing keys.
CREATE TABLE key_signature (
    -- Whose key is signed, and which: a device id or a public master key.
    user_nid BIGINT NOT NULL,
    signer_nid BIGINT NOT NULL,
    key_name TEXT NOT NULL,
    -- By which key, such as ed25519:DEVICE.
    signer_key TEXT NOT NULL,
    signature TEXT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (user_nid, signer_nid, key_name, signer_key)
) WITHOUT_ROWID;
-- What one user signed of others, newest last; and what one key signed, when it is replaced.
CREATE INDEX key_signature_signer ON key_signature (signer_nid, pos);

-- When a user's devices or keys last changed as others see them.
CREATE TABLE device_list (
    user_nid BIGINT PRIMARY KEY,
    pos BIGINT NOT NULL
);
CREATE INDEX device_list_pos ON device_list (pos);

-- Messages to devices that have not picked them up.
CREATE TABLE to_device (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    pos BIGINT NOT NULL,
    sender_nid BIGINT NOT NULL,
    type TEXT NOT NULL,
    -- A JSON object.
    content TEXT NOT NULL,
    PRIMARY KEY (user_nid, device_id, pos)
);

-- Transaction ids of sent messages: a repeated request has no second effect.
CREATE TABLE to_device_txn (
    user_nid BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    -- SHA-256 of the request path.
    digest BYTES NOT NULL,
    ts BIGINT NOT NULL,
    PRIMARY KEY (user_nid, device_id, digest)
) WITHOUT_ROWID;
CREATE INDEX to_device_txn_ts ON to_device_txn (ts);
