-- The customers database (SQLite). The JDBC source connector reads it into the topic
-- customers, so its types are what that connector needs: a BIGINT id is read as a
-- long, and columns that are not null give a schema without nulls.
--
-- updated_at is the time of the last change in milliseconds since 1970, as a number:
-- the connector finds new and changed rows by it. Leave it out of statements; the
-- default and the triggers set it, so a plain UPDATE reaches Kafka.

CREATE TABLE IF NOT EXISTS customers (
  id         BIGINT PRIMARY KEY NOT NULL,
  firstName  VARCHAR(255) NOT NULL,
  lastName   VARCHAR(255) NOT NULL,
  email      VARCHAR(255) NOT NULL,
  address    VARCHAR(255) NOT NULL,
  level      VARCHAR(255) NOT NULL DEFAULT 'bronze' CHECK (level IN ('platinum', 'gold', 'silver', 'bronze')),
  updated_at TIMESTAMP NOT NULL DEFAULT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
);

CREATE INDEX IF NOT EXISTS customers_updated_at ON customers (updated_at, id);

-- The connector takes what comes after the last (updated_at, id) that it has read. So
-- each change comes after all that were committed before it: also in the millisecond of
-- another one's, which a transaction that is open for longer shows late, and where the
-- clock stands still or goes back. SQLite has one writer at a time, which sees them all.
-- The connector reads nothing of a time that is still to come, and no times in words:
-- rows with those, or more than a day ahead, are somebody's mistake and hold up no others.
DROP TRIGGER IF EXISTS customers_changed;
CREATE TRIGGER IF NOT EXISTS customers_changed_in_order AFTER UPDATE ON customers
FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at
BEGIN
  UPDATE customers
  SET updated_at = MAX(CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER), OLD.updated_at + 1,
    COALESCE((
      SELECT last.updated_at + (last.id >= NEW.id) FROM customers AS last
      WHERE last.id <> NEW.id AND last.updated_at < CAST((julianday('now') - 2440586.5) * 86400000 AS INTEGER)
      ORDER BY last.updated_at DESC, last.id DESC LIMIT 1), 0))
  WHERE id = NEW.id;
END;

CREATE TRIGGER IF NOT EXISTS customers_added_in_order AFTER INSERT ON customers
FOR EACH ROW
BEGIN
  UPDATE customers
  SET updated_at = (
    SELECT last.updated_at + (last.id >= NEW.id) FROM customers AS last
    WHERE last.id <> NEW.id AND last.updated_at < CAST((julianday('now') - 2440586.5) * 86400000 AS INTEGER)
    ORDER BY last.updated_at DESC, last.id DESC LIMIT 1)
  WHERE id = NEW.id AND (NEW.updated_at, NEW.id) < (
    SELECT last.updated_at, last.id FROM customers AS last
    WHERE last.id <> NEW.id AND last.updated_at < CAST((julianday('now') - 2440586.5) * 86400000 AS INTEGER)
    ORDER BY last.updated_at DESC, last.id DESC LIMIT 1);
END;

-- Seed rows. What follows this line is left out where no demo data is wanted.
INSERT OR IGNORE INTO customers (id, firstName, lastName, email, address, level) VALUES
  (1,  'Ada',     'Okafor',    'ada.okafor@example.com',      '12 Harbour Street, Bristol',     'platinum'),
  (2,  'Bruno',   'Keller',    'bruno.keller@example.com',    'Lindenweg 4, Zürich',            'gold'),
  (3,  'Chiara',  'Rossi',     'chiara.rossi@example.com',    'Via Roma 18, Torino',            'silver'),
  (4,  'Deniz',   'Yilmaz',    'deniz.yilmaz@example.com',    'Moda Caddesi 77, Istanbul',      'bronze'),
  (5,  'Elena',   'Petrova',   'elena.petrova@example.com',   'ul. Shipka 9, Sofia',            'gold'),
  (6,  'Farid',   'Haddad',    'farid.haddad@example.com',    '3 Rue des Lilas, Lyon',          'silver'),
  (7,  'Grace',   'Mensah',    'grace.mensah@example.com',    '21 Ring Road, Accra',            'bronze'),
  (8,  'Hiro',    'Tanaka',    'hiro.tanaka@example.com',     '2-4-1 Naka, Yokohama',           'platinum'),
  (9,  'Ingrid',  'Solberg',   'ingrid.solberg@example.com',  'Storgata 33, Bergen',            'gold'),
  (10, 'Jamal',   'Carter',    'jamal.carter@example.com',    '508 Elm Avenue, Chicago',        'silver'),
  (11, 'Katya',   'Novak',     'katya.novak@example.com',     'Dlouhá 15, Brno',                'bronze'),
  (12, 'Luís',    'Ferreira',  'luis.ferreira@example.com',   'Rua do Carmo 50, Porto',         'bronze'),
  (13, 'Maeve',   'Byrne',     'maeve.byrne@example.com',     '6 Quay Lane, Galway',            'silver'),
  (14, 'Nikhil',  'Rao',       'nikhil.rao@example.com',      '40 Lake View, Pune',             'gold'),
  (15, 'Olga',    'Lindqvist', 'olga.lindqvist@example.com',  'Ågatan 2, Uppsala',              'bronze'),
  (16, 'Pablo',   'Gómez',     'pablo.gomez@example.com',     'Calle Mayor 101, Sevilla',       'platinum'),
  (17, 'Quynh',   'Tran',      'quynh.tran@example.com',      '19 Le Loi, Hue',                 'silver'),
  (18, 'Rosa',    'Weber',     'rosa.weber@example.com',      'Marktplatz 1, Weimar',           'bronze'),
  (19, 'Samuel',  'Adeyemi',   'samuel.adeyemi@example.com',  '8 Marina Road, Lagos',           'gold'),
  (20, 'Tove',    'Hansen',    'tove.hansen@example.com',     'Nørregade 27, Aarhus',           'bronze');
