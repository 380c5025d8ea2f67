-- queries.sql - builds a database in memory, indexes it, and asks it questions that sort, group and join.
PRAGMA temp_store = MEMORY;
CREATE TABLE item(id INTEGER PRIMARY KEY, owner INTEGER, price INTEGER, name TEXT, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO item SELECT i, (i * 7919) % 5003, (i * 104729) % 10007, 'item ' || i || ' of ' || (i % 97),
  substr('the quick brown fox jumps over the lazy dog and away it goes', i % 20 + 1, i % 37) FROM n;
CREATE INDEX by_owner ON item(owner, price);
CREATE INDEX by_name ON item(name);
SELECT count(*), sum(length(name)), sum(length(note)) FROM item;
SELECT sum(c * p) FROM (SELECT owner, count(*) AS c, max(price) AS p FROM item GROUP BY owner);
SELECT group_concat(name, ';') FROM (SELECT name FROM item WHERE price % 1009 = 3 ORDER BY note, name DESC LIMIT 20);
SELECT count(DISTINCT a.owner || ':' || b.price) FROM item a JOIN item b ON a.owner = b.owner AND a.price < b.price;
SELECT sum(json_array_length(j)) FROM (SELECT json_group_array(json_object('n', name, 'p', price)) AS j FROM item GROUP BY owner);
SELECT upper(name), replace(note, 'o', '0'), printf('%08d-%s', price, name) FROM item WHERE name LIKE '%77 of 9%' ORDER BY 2, 1 LIMIT 5;
DELETE FROM item WHERE id % 3 = 0;
UPDATE item SET note = note || name WHERE id % 5 = 0;
SELECT sum(length(note)), min(name), max(name) FROM item;
