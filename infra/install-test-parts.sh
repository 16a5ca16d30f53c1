#!/usr/bin/env bash
# Installs what the browser and Kafka tests need and Debian or Ubuntu packages bring: Chromium, a JVM, Maven.
# Does nothing where they are there. Run as root, or with sudo at hand.
set -euo pipefail

missing=()
if ! { [ -n "${CHROMIUM_PATH:-}" ] || command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
  missing+=(chromium)
fi
if [ -z "${KAFKA_BROKERS:-}" ]; then
  command -v java >/dev/null || missing+=(default-jre-headless)
  command -v mvn >/dev/null || missing+=(maven)
fi
if [ ${#missing[@]} -eq 0 ]; then
  echo 'Chromium, Java and Maven are here.'
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "Install these by hand, then run this again: ${missing[*]}"
  exit 1
fi
echo "Installing ${missing[*]} …"
as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
