"""Which test shows which behaviour, with which client and PBX. docs/interop.md is made of what the tests say here.

A test names what it shows, in the words of `BEHAVIOURS`:

    @shows('hold', 're-invite')
    def test_hold_and_resume(self): ...

Who takes part is said by the class: `client` (or `kind`; baresip where it says nothing), `transport` of the phone
(udp), `pbx_name` (Kamailio); `@shows('message', client='SIPp')` says it for one test. A run appends what came of each test to
the file INTEROP_RESULTS; tools/interop.py makes the table of it. A behaviour that is proved in virtual time too names
the Swift test function.
"""
import json
import os

#: Name, what it is, and the Swift test functions that prove it in virtual time, or ''.
BEHAVIOURS = (
    ('registration', 'Registration of a hot desk', ''),
    ('login', 'Login by code and PIN', 'loginCallOutAndBack'),
    ('roaming', 'The session moves to another desk', 'roamingMakesTheOldDeskIdle'),
    ('logout', 'Logout by code and by key', 'logoutGivesTheDeskBackAndTheCallGoesOn'),
    ('emergency', 'Emergency call: idle, logged in, locked out', 'idleDeviceReachesNobodyButEmergency wrongPINsLockAndEmergencyStillWorks'),
    ('call-back', 'Call back after an emergency call', ''),
    ('call-out', 'Call to the PBX', 'loginCallOutAndBack'),
    ('call-in', 'Call from the PBX', 'callInReachesTheDeskOfThePerson'),
    ('hold', 'Hold and resume', 'theFarEndHoldsAndResumes'),
    ('re-invite', 're-INVITE, both ways', 'theFarEndHoldsAndResumes'),
    ('update', 'UPDATE, both ways', 'updateGoesBothWays'),
    ('glare', 'Glare (491)', 'glareLeavesTheSessionAsItWas'),
    ('early-media', 'Early media', 'forksAreEachTheirOwn outsideAsksAndGoesOn'),
    ('forking', 'Several early dialogs', 'forksAreEachTheirOwn'),
    ('prack', 'PRACK, 100rel', 'prackAndAckNameTheInvite'),
    ('cancel', 'CANCEL, and its races', 'lateAnswersAreHungUp cancelOfAnotherIsNothing'),
    ('session-timer', 'Session timers', 'aSessionLastsAsLongAsItIsRefreshed tooShortATimerIsToldToThePhone'),
    ('blind-transfer', 'Blind transfer', 'transferLeavesForThePBX aTransferIsJudgedLikeACall theFarEndTransfersTheDesk'),
    ('refer-outside', 'REFER outside a dialog (click to dial)', 'howItGoesIsToldOutsideADialogToo thePBXHasADeskDial'),
    ('attended-transfer', 'Attended transfer (Replaces)', 'replacesNamesTheSecondCall'),
    ('forwarding', 'Call forwarding by 3xx, judged again', 'aRedirectionIsJudgedAndFollowed redirectionsInACircleEnd aDeskForwardsItsCalls aPlainPhoneIsToldTheNumber redirectionIsJudged'),
    ('call-waiting', 'Call waiting', 'aDeskHasSeveralCalls'),
    ('several-calls', 'Several calls of one device', 'aDeskHasSeveralCalls'),
    ('busy', 'Busy and do not disturb (486)', 'doNotDisturbIsPassedOn'),
    ('not-there', 'Nobody there (404, 480)', 'idleDeviceIsNotReached'),
    ('dtmf', 'Keys in a call, both ways', ''),
    ('dtmf-tones', 'Keys as tones: in a login, and for a far end that has nothing else', ''),
    ('mwi', 'Voicemail lamp', 'voicemailIsThePersons'),
    ('blf', 'Busy lamps', 'lampsShowNumbersAndNoMachines'),
    ('presence', 'Presence', 'presenceIsThePersons'),
    ('message', 'MESSAGE', 'messagesGoBothWays'),
    ('info', 'INFO', 'infoAndOptionsGoBothWays'),
    ('options', 'OPTIONS, both ways', 'infoAndOptionsGoBothWays'),
    ('fax', 'Fax offer', 'faxIsRefusedAndTheCallGoesOn'),
    ('no-audio', 'Session without audio', 'withoutAudioThereIsNoCallButForHelp'),
    ('ipv6', 'IPv6', 'familiesMeetAtTheEdge'),
    ('offerless', 'INVITE without offer', 'offersMayComeLate'),
    ('large', 'Large messages over UDP, and the way to TCP', 'largeRequestsMayComeByTCP largeDatagrams'),
    ('reuse', 'Connections of phones used again (TCP, TLS)', 'phonesByTLS aCallFollowsItsPhone'),
    ('srtp-phone', 'SRTP with the phone alone', 'oneLegIsSecuredAndTheOtherIsNot'),
    ('srtp-pbx', 'SRTP with the PBX alone', 'thePBXLegIsSecuredForAPlainPhone'),
    ('srtp-both', 'SRTP on both sides, by keys of their own', ''),
    ('srtp-refused', 'SRTP: refused where the site file says so', 'whatAPhoneMayOffer whatThePBXMayAnswer aPlainLoginIsRefusedWhereSRTPIsRequired'),
    ('srtp-hold', 'SRTP: hold and resume, re-INVITE', ''),
    ('srtp-transfer', 'SRTP: transfer', ''),
    ('srtp-login', 'SRTP: login and its prompts', 'theLoginIsSpokenOverSRTP'),
    ('local-media', 'Call between two desks of the site: media stay in the branch', ''),
    ('anchored-media', 'The same where the PBX keeps media at itself: they cross the trunk', ''),
    ('plain-registration', 'Plain phone: registration with Contact rewritten, Path', 'theContactLeadsBackThroughTheEdge pathWhereThePBXKnowsIt'),
    ('plain-refresh', 'Plain phone: refreshes absorbed', 'refreshesAreAbsorbed whatIsNewOrEndsIsNotAbsorbed afterTheTrunkHasChangedEveryRegistrationPasses'),
    ('source-lock', 'Media of anybody else: not heard', ''),
    ('nat', 'Phone behind NAT: media both ways', ''),
    ('new-address', 'Another address in a call: media follow the phone', ''),
    ('plain-flow', 'Plain phone: followed to another address', 'aCallFollowsAPhoneThatHasProvedItself mediaFollowAPhoneByItsRegistration'),
    ('pin-protection', 'PIN asked again before a call outside', 'outsideAsksAndGoesOn insideAndHelpNeverAsk wrongPINsRefuseTheCallAndCount transfersAndRedirectionsOutsideNeedItToo'),
    ('second-login', 'Login over a session of somebody else', 'aTakeoverIsConfirmed leavingAnotherDeskIsConfirmedToo'),
    ('call-after-logout', 'A call outlives the logout', 'callOutlivesItsSession'),
    ('restart-in-call', 'A call outlives a restart of the edge', 'theCallGoesOn eitherEndHangsUp'),
)
NAMES = {name for name, _, _ in BEHAVIOURS}


def shows(*behaviours, client=None, transport=None, pbx=None):
    unknown = set(behaviours) - NAMES
    if unknown or not behaviours:
        raise ValueError(f'not in BEHAVIOURS: {", ".join(sorted(unknown)) or "nothing"}')

    def mark(test):
        test.shows = behaviours, {'client': client, 'transport': transport, 'pbx': pbx}
        return test
    return mark


def note(test, passed):
    """Writes down what came of a test, where a run is to be written down."""
    path = os.environ.get('INTEROP_RESULTS')
    declared = getattr(getattr(test, getattr(test, '_testMethodName', ''), None), 'shows', None)
    if not path or declared is None:
        return
    behaviours, said = declared
    usual = {'client': getattr(test, 'client', None) or getattr(test, 'kind', None) or 'baresip',
             'transport': getattr(test, 'transport', None) or 'udp', 'pbx': getattr(test, 'pbx_name', None) or 'Kamailio'}
    who = {key: said[key] or value for key, value in usual.items()}
    with open(path, 'a') as file:
        for name in behaviours:
            file.write(json.dumps({'behaviour': name, **who, 'test': test.id().removeprefix('tests.'), 'passed': passed}) + '\n')
