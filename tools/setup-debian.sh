#!/bin/sh
# Usage: setup-debian.sh [test|bench|load|static]
# Installs what the programs are built with; with an argument also what a target of the Makefile needs: "test" for
# `make test` and `make lint`, "bench" for `make bench`, "load" for `make load-test`, "static" for `make static`. Only
# what is missing is installed; when nothing is, nothing is asked and the network is not touched.
set -eu

packages="g++ cmake ninja-build libeigen3-dev libsimdjson-dev libxtensor-dev libcli11-dev libfmt-dev libssl-dev"
packages="$packages doctest-dev"
boost=libboost-dev browser=chromium
! grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || boost=libboost1.81-dev # Debian 12's other one is 1.74
! grep -qs '^ID=ubuntu' /etc/os-release || browser=chromium-browser
packages="$packages $boost libhiredis-dev prometheus-cpp-dev libspdlog-dev" # the services'
if [ "${1-}" = test ]; then
  packages="$packages ccache clang clang-format clang-tidy libbenchmark-dev libclang-rt-dev pkg-config python3-dev"
  packages="$packages python3-venv"
  packages="$packages openjdk-17-jre-headless" # Spark's
  packages="$packages redis-server prometheus $browser" # the services': cache, promtool, a browser for the page
  packages="$packages libfaketime"
  # The Arm kernels are tested here too; an Arm machine tests its own.
  [ "$(uname -m)" != x86_64 ] || packages="$packages g++-aarch64-linux-gnu qemu-user"
fi
if [ "${1-}" = bench ] || [ "${1-}" = load ]; then
  packages="$packages libbenchmark-dev python3 python3-venv"
fi
if [ "${1-}" = load ]; then
  packages="$packages wrk"
fi
if [ "${1-}" = static ]; then
  packages="$packages python3 python3-pip"
fi

if ! command -v apt-get >/dev/null; then
  echo "No apt-get here: please see to it that the counterparts of these Debian packages are installed:"
  echo "  $packages"
  exit 0
fi

missing=
for package in $packages; do
  status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif command -v sudo >/dev/null; then
  as_root=sudo
else
  echo "These packages are missing, and neither root nor sudo is at hand to install them. Please run as root:" >&2
  echo "  apt-get install$missing" >&2
  exit 1
fi

echo "Installing:$missing"
# Unquoted on purpose: no word when root, and one word for each package.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update --quiet
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends $missing
