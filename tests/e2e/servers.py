"""The web servers that an instance can have, by the name that --server takes.

What the tests must know of a server are its attributes: tests ask for those, never
for its name (`@pytest.mark.server(supervised=True)` picks the servers that a test
is for). What differs for users is told in doc/deploy.md."""

import grp
import os
import pwd
import shutil
import subprocess

from accounts import ACCOUNTS
from support import StackError, TOP, descendants_of, end_with_parent, wait_for


def find_program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise StackError(f"{name} is not installed")
    return found


class Server:
    """One process in the foreground, which ends by SIGTERM."""

    supervised = False  # campaignd is a pool under its own supervisor
    started_as = None  # what /health says
    answers_alone = False  # 401, 413 and the like come from it, in our form
    sends_objects = False  # of the local store, so that no worker is held
    whole_bodies = True  # bodies are limited as /limits says, not by the host
    takes_chunks = True  # of bodies of unknown length
    limits_rate = False
    refuses_two_tokens = False  # with 400; else they are one malformed token
    large_header = (431, "headers_too_large")
    takes_64k_of_headers = True  # else that is a 500
    tells_plain_http = False  # that TLS is wanted, in our form
    decodes_paths = False  # before it passes them on
    account = None  # (uid, gid) that campaignd runs as; None: that of the tests
    body_bytes = None  # largest body that it lets through, where that is a host's

    def __init__(self, stack):
        self.stack = stack
        self.folder = stack.folder / "server"
        self.process = None

    def settings(self):
        """Settings of campaignd that this server needs."""
        return {}

    def write(self):
        """Writes its configuration."""

    def command(self):
        raise NotImplementedError

    def start(self):
        self.folder.mkdir(exist_ok=True)
        self.write()
        with (self.folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stderr=errors, cwd=self.stack.folder,
                env=self.stack.environment(), preexec_fn=end_with_parent)

    def workers(self):
        """Process ids of campaignd that this server has started."""
        return descendants_of(self.process.pid, "campaignd") if self.process else []

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def said(self):
        """What it has to say for itself."""
        return "".join((self.folder / name).read_text(errors="replace")[-4000:]
                       for name in ("stderr", "error.log") if (self.folder / name).exists())

    def requests_ended(self, line):
        """How many requests of this request line the access log has."""
        return (self.folder / "access.log").read_text().count(f'"{line}"')


class Nginx(Server):
    """The shipped site file on a private nginx in front of a campaignd pool."""

    name = "nginx"
    supervised = True
    started_as = "pool"
    answers_alone = True
    sends_objects = True
    limits_rate = True
    refuses_two_tokens = True
    tells_plain_http = True
    decodes_paths = True

    def settings(self):
        return {"CAMPAIGN_ACCEL_PREFIX": "/_objects/"}

    def write(self):
        stack = self.stack
        command = [
            TOP / "nginx/private", "--dir", self.folder, "--port", str(stack.port),
            "--socket", stack.socket, "--objects", stack.folder / "data/objects",
            "--certificate", stack.tls / "server.pem", "--key", stack.tls / "server.key",
        ]
        if stack.rate:
            command += ["--rate", str(stack.rate)]
        subprocess.run(command, check=True)

    def command(self):
        return [find_program("nginx"), "-p", self.folder, "-c", self.folder / "nginx.conf",
                "-e", self.folder / "error.log", "-g", "daemon off;"]


class Apache(Server):
    """The shipped site file on a private Apache: mod_fcgid runs campaignd. Apache may
    not run as root, so where the tests do, campaignd runs as Apache's usual user."""

    name = "apache"
    started_as = "fastcgi"
    answers_alone = True
    sends_objects = True
    large_header = (400, "request_malformed")
    takes_64k_of_headers = False
    user = "www-data"
    processes = 4

    def __init__(self, stack):
        super().__init__(stack)
        if os.geteuid() == 0:
            self.account = self.find_account()
            stack.bin = stack.folder / "bin"
            stack.bin.mkdir()
            for program in ("campaignd", "campaignctl"):
                shutil.copy2(stack.build / program, stack.bin)
            shutil.copytree(TOP / "share", stack.folder / "share")
            self.give(stack.folder)

    def find_account(self):
        found = pwd.getpwnam(self.user)
        return found.pw_uid, found.pw_gid

    def settings(self):
        objects = self.stack.folder / "data/objects"
        share = self.stack.folder / "share" if self.account else TOP / "share"
        return {
            "CAMPAIGN_SHARE_DIR": str(share),
            "LOG_FILE": str(self.stack.log),
            "CAMPAIGN_ACCEL_HEADER": "X-Sendfile",
            "CAMPAIGN_ACCEL_PREFIX": f"{objects}/" if self.stack.store.objects_are_files else "",
        }

    def write(self):
        stack = self.stack
        subprocess.run([
            TOP / "apache/private", "--dir", self.folder, "--port", str(stack.port),
            "--program", stack.bin / "campaignd", "--settings", stack.env_file,
            "--objects", stack.folder / "data/objects", "--processes", str(self.processes),
            "--certificate", stack.tls / "server.pem", "--key", stack.tls / "server.key",
        ], check=True)
        with (self.folder / "apache2.conf").open("a") as conf:
            conf.write(f"CustomLog {self.folder}/access.log access\n")
        self.give(stack.folder)

    def give(self, folder):
        """Everything there to the account of campaignd."""
        if self.account:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, *self.account, follow_symlinks=False)

    def command(self):
        return [find_program("apache2"), "-d", self.folder, "-f", self.folder / "apache2.conf",
                "-D", "FOREGROUND"]


# What a host has set up before its customers come: TLS, a document root each, .htaccess
# files that may say everything, and suexec where Apache is started by root.
HOSTING = """
LimitRequestLine 16384
LimitRequestFieldSize 16384
<VirtualHost *:{port}>
    ServerName localhost
    DocumentRoot {root}
    SSLEngine on
    SSLCertificateFile {tls}/server.pem
    SSLCertificateKeyFile {tls}/server.key
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    Protocols h2 http/1.1
    {suexec}
    CustomLog {folder}/access.log access
    <Directory {root}>
        Require all granted
        AllowOverride All
        Options +ExecCGI +FollowSymLinks
    </Directory>
</VirtualHost>
"""


class Htaccess(Apache):
    """An account on a shared host: public_html/api with the shipped .htaccess and
    dispatch.fcgi, mod_fcgid with its limits as they are."""

    name = "htaccess"
    answers_alone = False
    sends_objects = False
    whole_bodies = False
    takes_chunks = False
    body_bytes = 131072
    user = "campaignstore-web"
    modules = ("alias", "fcgid", "headers", "http2", "rewrite", "setenvif", "ssl", "suexec",
               "unique_id")
    fcgid = "FcgidIPCDir {folder}/fcgid\nFcgidProcessTableFile {folder}/fcgid/table\n" \
            "FcgidMaxProcesses {processes}\n"

    def find_account(self):
        # whose group may run suexec, as Debian has it
        ACCOUNTS.get(self.user, "www-data")
        return ACCOUNTS.get("campaignstore-site")

    def settings(self):
        return {**super().settings(), "CAMPAIGN_ACCEL_PREFIX": "",
                "LIMIT_BODY_BYTES": str(self.body_bytes)}

    def suexec(self):
        """The directives, where suexec can be had."""
        if not self.account or not ACCOUNTS.allow_suexec(self.user, self.stack.folder.parent):
            return "", ""
        user, group = pwd.getpwuid(self.account[0]).pw_name, grp.getgrgid(self.account[1]).gr_name
        return "Suexec On\n", f"SuexecUserGroup {user} {group}"

    def write(self):
        stack = self.stack
        home, api = stack.folder / "home", stack.folder / "public_html/api"
        for folder in (self.folder / "fcgid", home, api):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / "apache/shared-hosting/htaccess", api / ".htaccess")
        script = (TOP / "apache/shared-hosting/dispatch.fcgi").read_text()
        (api / "dispatch.fcgi").write_text(script.replace("@CAMPAIGNSTORE_HOME@", str(home)))
        for link, target in (("bin", stack.bin), (".env", stack.env_file)):
            (home / link).unlink(missing_ok=True)
            (home / link).symlink_to(target)
        switch, user_group = self.suexec()
        base = subprocess.run(
            [TOP / "apache/base-conf", self.folder, str(stack.port), self.user, *self.modules],
            check=True, capture_output=True, text=True).stdout
        hosting = (self.fcgid + HOSTING).format(
            port=stack.port, root=stack.folder / "public_html", tls=stack.tls, suexec=user_group,
            folder=self.folder, processes=self.processes)
        (self.folder / "apache2.conf").write_text(base.replace("Suexec Off\n", switch) + hosting)
        self.give(stack.folder)
        for path in (stack.folder, stack.folder / "public_html", api, api / "dispatch.fcgi"):
            path.chmod(0o755)
        (api / ".htaccess").chmod(0o644)
        if self.account:
            shutil.chown(self.folder / "fcgid", self.user)


class Cgi(Htaccess):
    """The same account where the host has no FastCGI: a process a request."""

    name = "cgi"
    started_as = "cgi"
    modules = ("alias", "cgid", "headers", "http2", "rewrite", "setenvif", "ssl", "suexec",
               "unique_id")
    fcgid = "ScriptSock {folder}/cgid.sock\n"


SERVERS = {server.name: server for server in (Nginx, Apache, Htaccess, Cgi)}
