"""The workload of a media application: files arrive, are moved or replaced, and are deleted."""

from random import Random

import pymysql

from operational.workload import Workload, Written

FORMATS = {"jpg": 1, "png": 1, "gif": 1, "mp4": 2, "mov": 2}
"""The formats, with the type of a file that has it: 1 image, 2 video."""
UNKNOWN_TYPE = 3
"""A type that the warehouse does not know yet, and rejects."""


class MediaWorkload(Workload):
    """Changes of media files; their ids are read once, in order, then maintained."""

    def __init__(self, connection: pymysql.Connection, chance: Random) -> None:
        super().__init__(connection, chance)
        self.cursor.execute("select id from media_files order by id")
        self._ids = [identity for (identity,) in self.cursor.fetchall()]
        self._weights = {
            self._upload: 60,
            self._move: 15,
            self._move_without_stamp: 5,
            self._replace: 10,
            self._delete: 10,
        }

    def write(self) -> list[Written]:
        """Write one row; a new file if there is none to change."""
        (action,) = self.chance.choices(list(self._weights), list(self._weights.values()))
        return [(action if self._ids else self._upload)()]

    def _upload(self) -> Written:
        name = self.chance.choice(list(FORMATS))
        kind = UNKNOWN_TYPE if self.chance.random() < 0.05 else FORMATS[name]
        self.cursor.execute(
            "insert into media_files (s3_path, format, type) values (%s, %s, %s)",
            (self._path(name), name, kind),
        )
        self._ids.append(int(self.cursor.lastrowid))
        return Written("insert")

    def _move(self) -> Written:
        path = self._path(self.chance.choice(list(FORMATS)))
        return self._update("s3_path = %s", path)

    def _move_without_stamp(self) -> Written:
        path = self._path(self.chance.choice(list(FORMATS)))
        return self._update("s3_path = %s, updated_at = updated_at", path)

    def _replace(self) -> Written:
        name = self.chance.choice(list(FORMATS))
        return self._update("format = %s, type = %s", name, FORMATS[name])

    def _delete(self) -> Written:
        identity = self._ids.pop(self.chance.randrange(len(self._ids)))
        self.cursor.execute("delete from media_files where id = %s", (identity,))
        return Written("delete")

    def _update(self, change: str, *values: str | int) -> Written:
        self.cursor.execute(
            f"update media_files set {change} where id = %s",
            (*values, self.chance.choice(self._ids)),
        )
        return Written("update")

    def _path(self, name: str) -> str:
        return f"/{self.chance.randrange(16**8):08x}.{name}"


WORKLOAD = MediaWorkload
