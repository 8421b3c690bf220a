"""What S3 keeps below a prefix, with all its versions, delete markers and unfinished
uploads, for more of them than an emulator makes in time: lists in pages, DeleteObjects,
DeleteObject and AbortMultipartUpload as the Amazon S3 API Reference has them.

    bucket = VersionedBucket("campaigns/x/")
    bucket.put(key, version, ...)
    proxy.decide = bucket.decide

It takes the place of the server behind the proxy for what is below its prefix, and
answers nothing that S3 need not: a list that is to go on behind a version that is gone
meanwhile is refused, since servers differ in where that is."""

import base64
import dataclasses
import hashlib
import urllib.parse
import xml.etree.ElementTree as tree
from xml.sax.saxutils import escape

from faults import Answer, Fault

PAGE = 1000  # entries at most, and names of one DeleteObjects
SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@dataclasses.dataclass(frozen=True)
class Version:
    key: str
    id: str
    size: int = 0
    marker: bool = False


def error(status, code):
    return Answer(status, [("Content-Type", "application/xml")],
                  f"<Error><Code>{code}</Code><Message>refused</Message></Error>".encode())


class VersionedBucket:
    def __init__(self, prefix):
        self.prefix = prefix
        self.page = PAGE           # entries of a list
        self.versions = []         # in the order of lists: by key, the newest first
        self.uploads = []          # (key, id), in the order of lists
        self.calls = []            # operations, each with how many names it has or gives
        self.locked = set()        # keys that may not be deleted: an error within a 200
        self.forgotten = set()     # keys that a delete says nothing of, and leaves there

    def sort(self):
        position = {version: at for at, version in enumerate(self.versions)}
        self.versions.sort(key=lambda version: (version.key.encode(), position[version]))
        self.uploads.sort(key=lambda upload: (upload[0].encode(), upload[1]))

    # ---- the proxy's part ----

    def decide(self, request):
        if request.service != "s3":
            return None
        query = dict(urllib.parse.parse_qsl(request.target.partition("?")[2],
                                            keep_blank_values=True))
        if "prefix" in query:
            if query["prefix"] != self.prefix:
                return None
            answer = self.list_uploads(query) if "uploads" in query else self.list_versions(query)
        elif request.operation == "DeleteObjects":
            answer = self.delete_objects(request)
        elif request.method == "DELETE" and request.path.split("/", 2)[2].startswith(self.prefix):
            answer = self.delete_one(request.path.split("/", 2)[2], query)
        else:
            return None
        return Fault("answered", answer)

    # ---- lists ----

    def page_of(self, entries, key_of, id_of, query, names):
        """The entries of a page, and the elements that say where the next one begins."""
        key_marker, id_marker = (query.get(name) for name in names[:2])
        start = 0
        if key_marker and id_marker:
            places = [at for at, entry in enumerate(entries)
                      if (key_of(entry), id_of(entry)) == (key_marker, id_marker)]
            if not places:
                return None
            start = places[0] + 1
        elif key_marker:
            start = sum(key_of(entry).encode() <= key_marker.encode() for entry in entries)
        elif id_marker:
            return None
        page = entries[start:start + self.page]
        if start + self.page >= len(entries):
            return page, "<IsTruncated>false</IsTruncated>"
        return page, ("<IsTruncated>true</IsTruncated>"
                      f"<{names[2]}>{urllib.parse.quote(key_of(page[-1]))}</{names[2]}>"
                      f"<{names[3]}>{escape(id_of(page[-1]))}</{names[3]}>")

    def answer_list(self, operation, root, page, inner):
        if page is None:
            self.calls.append((operation, None))
            return error(400, "InvalidArgument")
        self.calls.append((operation, len(page[0])))
        body = (f"<{root}><EncodingType>url</EncodingType>{page[1]}"
                + "".join(inner(entry) for entry in page[0]) + f"</{root}>")
        return Answer(200, [("Content-Type", "application/xml")], body.encode())

    def list_versions(self, query):
        newest = {}
        for version in self.versions:
            newest.setdefault(version.key, version)

        def inner(version):
            name = "DeleteMarker" if version.marker else "Version"
            size = "" if version.marker else f"<Size>{version.size}</Size>"
            latest = str(newest[version.key] == version).lower()
            return (f"<{name}><Key>{urllib.parse.quote(version.key)}</Key>"
                    f"<VersionId>{version.id}</VersionId><IsLatest>{latest}</IsLatest>"
                    f"<LastModified>2026-01-01T00:00:00.000Z</LastModified>{size}</{name}>")

        page = self.page_of(self.versions, lambda v: v.key, lambda v: v.id, query,
                            ("key-marker", "version-id-marker", "NextKeyMarker",
                             "NextVersionIdMarker"))
        return self.answer_list("ListObjectVersions", "ListVersionsResult", page, inner)

    def list_uploads(self, query):
        def inner(upload):
            return (f"<Upload><Key>{urllib.parse.quote(upload[0])}</Key>"
                    f"<UploadId>{upload[1]}</UploadId></Upload>")

        page = self.page_of(self.uploads, lambda u: u[0], lambda u: u[1], query,
                            ("key-marker", "upload-id-marker", "NextKeyMarker",
                             "NextUploadIdMarker"))
        return self.answer_list("ListMultipartUploads", "ListMultipartUploadsResult", page, inner)

    # ---- deletes ----

    def delete_objects(self, request):
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        if request.headers.get("x-amz-checksum-sha256") != digest:
            return error(400, "InvalidRequest")
        names = [(entry.findtext(f"{SPACE}Key"), entry.findtext(f"{SPACE}VersionId"))
                 for entry in tree.fromstring(request.body).iter(f"{SPACE}Object")]
        self.calls.append(("DeleteObjects", len(names)))
        if not 0 < len(names) <= PAGE:
            return error(400, "MalformedXML")
        wanted, refused = set(names), ""
        for key, version in names:
            if key in self.locked:
                refused += (f"<Error><Key>{escape(key)}</Key><VersionId>{version}</VersionId>"
                            "<Code>AccessDenied</Code><Message>locked</Message></Error>")
        self.versions = [v for v in self.versions if (v.key, v.id) not in wanted
                         or v.key in self.locked or v.key in self.forgotten]
        return Answer(200, [("Content-Type", "application/xml")],
                      f"<DeleteResult>{refused}</DeleteResult>".encode())

    def delete_one(self, key, query):
        if "uploadId" in query:
            self.calls.append(("AbortMultipartUpload", 1))
            if (key, query["uploadId"]) not in self.uploads:
                return error(404, "NoSuchUpload")
            self.uploads.remove((key, query["uploadId"]))
        else:
            self.calls.append(("DeleteObject", 1))
            self.versions = [v for v in self.versions
                             if (v.key, v.id) != (key, query.get("versionId"))]
        return Answer(204, [], b"")
