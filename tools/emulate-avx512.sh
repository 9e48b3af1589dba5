#!/usr/bin/env bash
# Usage: emulate-avx512.sh CPU FOLDER PROGRAM...
# Runs test programs (doctest's) on an emulated CPU with AVX-512, for machines that have none, and ends with their
# status. CPU is one of Bochs': sapphire_rapids, or corei7_skylake_x, which has neither VNNI nor BF16. Bochs boots
# Debian's kernel with the program, its libraries and models/sst2 as its first file system. What it needs is fetched and
# built in FOLDER/bochs at the first run, five minutes on Debian 12; nothing is installed. What instructions compute is
# right there; how long they take says nothing.
set -euo pipefail

cpu=$1 folder=$(realpath -m "$2")
shift 2
source=$(cd "$(dirname "$0")/.." && pwd)
tools=$folder/bochs
limit=3600 # seconds for one program

# Bochs 3.0, whose CPUs have BF16, is in the next Debian; the machine's own mirror has it.
fetch_and_build() {
  rm -rf "$tools"
  mkdir -p "$tools"/{packages,unpacked,apt/lists/partial,apt/cache/archives/partial}
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | head -1)
  for kind in deb deb-src; do
    echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main"
  done > "$tools/apt/sources.list"
  cat > "$tools/apt/conf" <<END
Dir::Etc::sourcelist "$tools/apt/sources.list"; Dir::Etc::sourceparts "-"; Dir::State::lists "$tools/apt/lists";
Dir::Cache "$tools/apt/cache"; APT::Sandbox::User "root";
END
  cd "$tools/packages"
  apt-get update -qq
  local kernel
  kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ {print $2; exit}')
  apt-get download -qq -o APT::Sandbox::User=root "$kernel" vgabios busybox-static isolinux \
    syslinux-common xorriso libisoburn1 libburn4 libisofs6 libjte2
  APT_CONFIG=$tools/apt/conf apt-get update -qq
  APT_CONFIG=$tools/apt/conf apt-get download -qq bochsbios
  # a mirror without the .dsc, which fails here, still gives the sources
  APT_CONFIG=$tools/apt/conf apt-get source -qq --download-only bochs 2> "$tools/source.log" || true
  for package in *.deb; do
    dpkg -x "$package" "$tools/unpacked"
  done
  tar xf bochs_*.orig.tar.xz
  cd bochs-*/
  # not --enable-show-ips: its signal handler logs, and waits forever for the log that it interrupts
  CXXFLAGS="-O3 -march=native" CFLAGS="-O3 -march=native" ./configure --enable-cpu-level=6 --enable-x86-64 --enable-avx \
    --enable-evex --enable-fast-function-calls --enable-handlers-chaining --enable-repeat-speedups \
    --enable-all-optimizations --enable-pci --enable-cdrom --disable-plugins --disable-docbook --disable-debugger \
    --with-nogui --without-x11 --without-wx --without-sdl > "$tools/configure.log" 2>&1
  make -j"$(nproc)" > "$tools/make.log" 2>&1
  cp bochs "$tools/bochs"
}

# The first file system: busybox, the program and its libraries, the model where the program looks for it.
pack() {
  local program=$1 to=$2/root library
  mkdir -p "$to"/{bin,proc,sys,dev,tmp} "$to$source/models" "$2/iso"
  cp "$tools/unpacked/bin/busybox" "$to/bin"
  cp -r "$source/models/sst2" "$to$source/models"
  cp "$program" "$to/bin/program"
  strip "$to/bin/program"
  for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    mkdir -p "$to$(dirname "$library")"
    cp -L "$library" "$to$library"
  done
  cat > "$to/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2> /dev/null
exec > /dev/ttyS0 2>&1 < /dev/null
cd /tmp
program --no-colors
echo "status $?"
sleep 100000
END
  chmod +x "$to/init"
  (cd "$to" && find . | "$tools/unpacked/bin/busybox" cpio -o -H newc 2> /dev/null) > "$2/iso/initrd"
}

# Linux believes what Bochs says of fast short moves, and Bochs has no clock of its own to be measured by.
boot() {
  local at=$1
  cp "$tools"/unpacked/boot/vmlinuz-* "$at/iso/vmlinuz"
  cp "$tools/unpacked/usr/lib/ISOLINUX/isolinux.bin" "$tools/unpacked/usr/lib/syslinux/modules/bios/ldlinux.c32" "$at/iso"
  cat > "$at/iso/isolinux.cfg" <<END
default it
prompt 0
label it
 kernel vmlinuz
 append initrd=initrd console=ttyS0,115200 quiet clearcpuid=fsrm,aperfmperf tsc=reliable clocksource=tsc lpj=50000 tsc_early_khz=50000 random.trust_cpu=on panic=0
END
  LD_LIBRARY_PATH=$tools/unpacked/usr/lib/x86_64-linux-gnu "$tools/unpacked/usr/bin/xorrisofs" -quiet -o "$at/boot.iso" \
    -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table -J -R "$at/iso" 2> /dev/null
  local left_out=
  if [ "$cpu" = sapphire_rapids ]; then
    left_out=', exclude_features="amx,amx_int8,amx_bf16,cet,uintr,pks,la57"' # the kernel's XSETBV fails with them
  fi
  cat > "$at/bochsrc" <<END
display_library: nogui
megs: 512
cpu: model=$cpu$left_out, count=1, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
romimage: file=$tools/unpacked/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=$tools/unpacked/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$at/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$at/console
clock: sync=none, time0=local
log: $at/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
END
  : > "$at/console"
  "$tools/bochs" -q -f "$at/bochsrc" > "$at/output" 2>&1 < /dev/null &
  local since=$SECONDS
  emulator=$!
  while ! grep -q '^status ' "$at/console" && kill -0 $emulator 2> /dev/null && [ $((SECONDS - since)) -lt $limit ]; do
    sleep 2
  done
  kill $emulator 2> /dev/null || true
  wait $emulator 2> /dev/null || true
  emulator=
  tr -d '\r' < "$at/console" | sed -n '/^\[doctest\]/,$p'
  grep -q '^status 0' "$at/console" || { echo "failed, or not done in $limit s: see $at"; return 1; }
}

emulator=
trap '[ -z "$emulator" ] || kill "$emulator"' EXIT
[ -x "$tools/bochs" ] || (fetch_and_build)
failed=0
for program in "$@"; do
  at=$folder/$cpu/$(basename "$program")
  rm -rf "$at"
  mkdir -p "$at"
  echo "$(basename "$program") on $cpu"
  pack "$program" "$at"
  boot "$at" || failed=1
done
exit $failed
