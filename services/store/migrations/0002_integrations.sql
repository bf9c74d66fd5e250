-- Integrations: accounts that publish what other systems' devices say, and which devices of ours those are.

CREATE TABLE integrations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    dialect TEXT NOT NULL,
    state TEXT NOT NULL,
    -- NULL: city-wide. Otherwise it may bring devices of this home only.
    home_id TEXT REFERENCES homes (id)
) WITHOUT ROWID;
CREATE INDEX integrations_of_home ON integrations (home_id);

-- A device may be known under several names; a name is one device.
CREATE TABLE foreign_devices (
    integration_id TEXT NOT NULL REFERENCES integrations (id),
    external_id TEXT NOT NULL,
    device_id TEXT NOT NULL REFERENCES devices (id),
    PRIMARY KEY (integration_id, external_id)
) WITHOUT ROWID;
CREATE INDEX foreign_devices_of_device ON foreign_devices (device_id);

-- Whose registration has changed, in the order of the commits, for whoever keeps a copy in memory.
-- '' stands for what belongs to no home. AUTOINCREMENT: a number is never given twice.
CREATE TABLE registry_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    home_id TEXT NOT NULL
);
CREATE TRIGGER registry_changes_are_kept_for_a_while AFTER INSERT ON registry_changes
BEGIN DELETE FROM registry_changes WHERE number <= NEW.number - 100000; END;

CREATE TRIGGER position_added AFTER INSERT ON positions
BEGIN INSERT INTO registry_changes (home_id) VALUES (NEW.home_id); END;
CREATE TRIGGER position_changed AFTER UPDATE ON positions
BEGIN INSERT INTO registry_changes (home_id) SELECT OLD.home_id UNION SELECT NEW.home_id; END;
CREATE TRIGGER position_removed AFTER DELETE ON positions
BEGIN INSERT INTO registry_changes (home_id) VALUES (OLD.home_id); END;

CREATE TRIGGER device_added AFTER INSERT ON devices
BEGIN INSERT INTO registry_changes (home_id) VALUES (NEW.home_id); END;
CREATE TRIGGER device_changed AFTER UPDATE ON devices
BEGIN INSERT INTO registry_changes (home_id) SELECT OLD.home_id UNION SELECT NEW.home_id; END;
CREATE TRIGGER device_removed AFTER DELETE ON devices
BEGIN INSERT INTO registry_changes (home_id) VALUES (OLD.home_id); END;

CREATE TRIGGER grant_added AFTER INSERT ON grants
BEGIN INSERT INTO registry_changes (home_id) VALUES (NEW.home_id); END;
CREATE TRIGGER grant_changed AFTER UPDATE ON grants
BEGIN INSERT INTO registry_changes (home_id) SELECT OLD.home_id UNION SELECT NEW.home_id; END;
CREATE TRIGGER grant_removed AFTER DELETE ON grants
BEGIN INSERT INTO registry_changes (home_id) VALUES (OLD.home_id); END;

CREATE TRIGGER foreign_device_added AFTER INSERT ON foreign_devices
BEGIN INSERT INTO registry_changes (home_id) SELECT home_id FROM devices WHERE id = NEW.device_id; END;
CREATE TRIGGER foreign_device_changed AFTER UPDATE ON foreign_devices
BEGIN INSERT INTO registry_changes (home_id)
    SELECT DISTINCT home_id FROM devices WHERE id IN (OLD.device_id, NEW.device_id); END;
CREATE TRIGGER foreign_device_removed AFTER DELETE ON foreign_devices
BEGIN INSERT INTO registry_changes (home_id) SELECT home_id FROM devices WHERE id = OLD.device_id; END;

CREATE TRIGGER integration_added AFTER INSERT ON integrations
BEGIN INSERT INTO registry_changes (home_id) VALUES (''); END;
CREATE TRIGGER integration_changed AFTER UPDATE ON integrations
BEGIN INSERT INTO registry_changes (home_id) VALUES (''); END;
CREATE TRIGGER integration_removed AFTER DELETE ON integrations
BEGIN INSERT INTO registry_changes (home_id) VALUES (''); END;
