#!/bin/sh
# What `make run` does: certificate, accounts and a daemon on high ports of this machine, all under run/.
set -eu
cd "$(dirname "$0")/../.."
bin=$(cd "${VENV:-.venv}/bin" && pwd)
config=etc/demo.toml
password=demo-password
umask 077
mkdir -p run/tls run/data

if [ ! -s run/tls/cert.pem ]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj "/CN=localhost" \
        -addext "subjectAltName=DNS:localhost,DNS:mail.example.com,IP:127.0.0.1" \
        -keyout run/tls/key.pem -out run/tls/cert.pem 2>/dev/null
fi

trekctl() {
    "$bin/python" -m trekd.cli.main --config "$config" "$@"
}

account() {
    trekctl account show "$1" >/dev/null 2>&1 ||
        echo "$password" | trekctl account add "$1" --plan "$2" --password-stdin >/dev/null
}

echo "making accounts ..."
account alice@example.com pro
account bob@example.com starter
for plan in nano starter pro agency; do
    account "$plan@example.com" "$plan"
done

cat <<END

TrekMail's demonstration. In a mail program on this machine:

  address and user name   alice@example.com      (bob, nano, starter, pro and agency exist as well)
  password                $password
  incoming mail           IMAP, localhost, port 9993, SSL/TLS        (or 9143 with STARTTLS)
  outgoing mail           SMTP, localhost, port 9465, SSL/TLS        (or 9587 with STARTTLS)
  the page for people     https://localhost:9443/setup/?address=alice@example.com
  files (WebDAV)          https://localhost:9443/dav/files/alice@example.com/
  certificate             run/tls/cert.pem; no authority signed it, so the program asks once

To try from another terminal:

  curl --cacert run/tls/cert.pem -u alice@example.com:$password imaps://localhost:9993/
  swaks --server localhost --port 9465 --tls-on-connect --auth PLAIN \\
      --auth-user alice@example.com --auth-password $password \\
      --from alice@example.com --to bob@example.com --header "Subject: hello"
  curl --cacert run/tls/cert.pem -u bob@example.com:$password "imaps://localhost:9993/INBOX;MAILINDEX=1"
  curl --cacert run/tls/cert.pem -u alice@example.com:$password -T README.md \\
      https://localhost:9443/dav/files/alice@example.com/
  curl --cacert run/tls/cert.pem -u alice@example.com:$password -X PROPFIND -H "Depth: 1" \\
      https://localhost:9443/dav/files/alice@example.com/
  $bin/trekctl --config $config sessions

Ctrl-C ends it; mail stays in run/ until make clean.

END
exec "$bin/twistd" --nodaemon --pidfile= trekmail --config "$config"
