-- What a home has set itself: limits on its readings beside, or in place of, those of the device models.

CREATE TABLE home_rules (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES homes (id),
    -- NULL: at every position of the home that has such a reading.
    position_id TEXT REFERENCES positions (id),
    name TEXT NOT NULL,
    -- The rule, as JSON; empty while is_off.
    body TEXT NOT NULL,
    -- 1: the rule of this name that the model has does not hold here.
    is_off INTEGER NOT NULL,
    set_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_rule_of_a_home ON home_rules (home_id, name) WHERE position_id IS NULL;
CREATE UNIQUE INDEX one_rule_of_a_position ON home_rules (position_id, name) WHERE position_id IS NOT NULL;
CREATE INDEX rules_of_home ON home_rules (home_id);

CREATE TRIGGER home_rule_added AFTER INSERT ON home_rules
BEGIN INSERT INTO registry_changes (home_id) VALUES (NEW.home_id); END;
CREATE TRIGGER home_rule_changed AFTER UPDATE ON home_rules
BEGIN INSERT INTO registry_changes (home_id) SELECT OLD.home_id UNION SELECT NEW.home_id; END;
CREATE TRIGGER home_rule_removed AFTER DELETE ON home_rules
BEGIN INSERT INTO registry_changes (home_id) VALUES (OLD.home_id); END;
