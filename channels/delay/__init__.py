"""Messages that wait: kept in the database, sent by a delay server when their time has come."""
