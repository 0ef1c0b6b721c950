"""Optuna's dashboard on a study's database, with the artifacts of its home."""

import errno
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

import optuna_dashboard
from optuna.artifacts import FileSystemArtifactStore

from study.errors import StudyError
from study.paths import ARTIFACTS
from study.storage.store import Store
from study.system.files import is_local

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own: wsgiref swallows an interrupt that comes while it answers one, as
    `optuna_dashboard.run_server` does with a Ctrl-C."""

    daemon_threads = True


def serve(store: Store, port: int) -> None:
    """Serve it on this machine until it is interrupted.

    Raises:
        StudyError: another program uses the port.
    """
    folder = store.home / ARTIFACTS
    kept = FileSystemArtifactStore(folder) if is_local(folder) and folder.is_dir() else None
    try:
        server = make_server(HOST, port, optuna_dashboard.wsgi(store.storage, kept), _Server)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise StudyError(f"port {port} cannot be used ({error.strerror}); give another --port") from None
    with server:
        server.serve_forever()
