"""The names of the settings of MongoDB, whose collections are imported from a server."""

DUTY, MINUTES = 50, 60
MINUTES_RANGE = range(1, 1441)

SETTINGS = {
    "MONGODB_URI": "the address of a MongoDB whose collections a run imports, with the account, its"
    " password and the database: mongodb://user:password@host/database (or MONGODB_URI_FILE: a file"
    " that contains it); default: collections come as files",
    "MONGODB_DUTY": "the largest share of time, in percent, for which an import may keep that"
    f" server at work; default {DUTY}",
    "MONGODB_MINUTES": "for how many minutes in all that server may work for one reading of a"
    f" collection; default {MINUTES}",
}
