# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for those who receive alerts: the group robots of DingTalk and WeCom, any webhook, and a mail server.

One process (``python -m receivers --help``) that checks what the real ones check and answers as they do. The robots'
addresses are fixed in apprise. Two ways lead a client here: variables in its environment, which leave the machine as it
is (``ReceiversProcess.environment``); or, on a test host, two lines in ``/etc/hosts`` and the throw-away CA among those
that the host trusts.
"""
