# Sourced after harness.sh: settings of a GNOME desktop in a directory of its own, without D-Bus.

desktop_make() { # LINES of /system/proxy and below, as in a keyfile: sets DESKTOP, the environment for env(1)
	mkdir -p "$W/desktop/glib-2.0/settings" "$W/desktop/home"
	printf '%s\n' "$@" >"$W/desktop/glib-2.0/settings/keyfile"
	DESKTOP=(XDG_CURRENT_DESKTOP=ubuntu:GNOME GSETTINGS_BACKEND=keyfile XDG_CONFIG_HOME="$W/desktop" HOME="$W/desktop/home")
}

# Runs a function of the tests as on that desktop.
on_desktop() { # COMMAND...
	local v
	local -x XDG_CURRENT_DESKTOP GSETTINGS_BACKEND XDG_CONFIG_HOME HOME
	for v in "${DESKTOP[@]}"; do
		printf -v "${v%%=*}" %s "${v#*=}"
	done
	"$@"
}
