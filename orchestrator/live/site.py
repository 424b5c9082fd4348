"""The live page: files of this package, read once. They get all data from the API."""

from __future__ import annotations

from importlib.resources import files

from semcom.http_server import Request, Response

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Site:
    """Answers requests for the page at `/` and for its parts below `/page/`."""

    def __init__(self) -> None:
        self._pages: dict[str, Response] = {}
        for file in (files("orchestrator.live") / "page").iterdir():
            kind = KINDS.get("." + file.name.rpartition(".")[2])
            if kind is not None:
                path = "/" if file.name == "index.html" else f"/page/{file.name}"
                self._pages[path] = Response(200, file.read_bytes(), kind, HEADERS)

    @property
    def paths(self) -> list[str]:
        """All paths of the page."""
        return sorted(self._pages)

    def __call__(self, request: Request) -> Response | None:
        """Return a part of the page; None if there is no such part."""
        page = self._pages.get(request.path)
        if page is not None and request.method != "GET":
            return Response(405, b"the page is asked for with GET\n")
        return page
